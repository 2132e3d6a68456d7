"""What a stricter gate would have left of a replay: fixes against false fixes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mift_ros.evaluation.metrics import Error
from mift_ros.evaluation.plots import BAD, GOOD, new_figure, png_of
from mift_ros.evaluation.records import FrameRecord

STEPS = 120


class OperatingCurve(NamedTuple):
    """Per threshold on the significance: fixes per frame, and false ones among the fixes (NaN where there are none)."""

    thresholds: npt.NDArray[np.float64]
    available: npt.NDArray[np.float64]
    false_share: npt.NDArray[np.float64]


def operating_curve(records: Sequence[FrameRecord], errors: Sequence[Error | None]) -> OperatingCurve:
    """Over the fixes that were published: below the gate that flew nothing is known."""
    fixes = [(r.fix.significance, e is not None and e.is_false) for r, e in zip(records, errors) if r.fix]
    known = np.array([f for f in fixes if np.isfinite(f[0])], float).reshape(-1, 2)
    thresholds = np.linspace(known[:, 0].min(initial=0.0), known[:, 0].max(initial=1.0), STEPS)
    kept = known[:, 0] >= thresholds[:, None]
    count = kept.sum(axis=1)
    false = (kept & (known[:, 1] > 0)).sum(axis=1)
    share = np.where(count > 0, false / np.maximum(count, 1), np.nan)
    return OperatingCurve(thresholds, count / max(len(records), 1), share)


def operating_png(records: Sequence[FrameRecord], errors: Sequence[Error | None]) -> bytes:
    """Availability and false fixes over the threshold, and one against the other."""
    curve = operating_curve(records, errors)
    figure, axes = new_figure(11.0, 3.6, width_ratios=[3, 2])
    axes[0].plot(curve.thresholds, 100 * curve.available, color=GOOD, label="frames with a fix")
    axes[0].plot(curve.thresholds, 100 * curve.false_share, color=BAD, label="false fixes among them")
    axes[0].set(xlabel="least significance, sigma", ylabel="%", ylim=(-2, 102))
    axes[0].legend(loc="lower left", bbox_to_anchor=(0, 1), ncol=2, fontsize=8, frameon=False)
    axes[1].plot(100 * curve.false_share, 100 * curve.available, color=GOOD)
    axes[1].set(xlabel="false fixes, % of fixes", ylabel="availability, %", xlim=(-0.5, None), ylim=(0, 102))
    return png_of(figure)
