"""The operating curve and the proof of a calibration, as PNG bytes."""

from __future__ import annotations

from typing import Any

import numpy as np

from mift_ros.calibration.proof import Curve, Proof
from mift_ros.evaluation.plots import BAD, GOOD, INK, MUTED, new_figure, png_of
from mift_ros.localization.calibration import Calibration

ONE_IN = (200, 1000, 10_000)
"""Below about 200 it is the gate's least probability that decides, not the lead."""


def calibration_png(curve: Curve, calibration: Calibration, proof: Proof) -> bytes:
    """Availability against false fixes, the tail the gate rests on, and the coverage on held-out flights."""
    figure, (operating, tails, coverage) = new_figure(14.0, 4.4, (1, 1, 1))
    _operating(operating, curve, calibration)
    _tail(tails, curve)
    _coverage(coverage, proof)
    return png_of(figure)


def _operating(axes: Any, curve: Curve, calibration: Calibration) -> None:
    lost, tail = calibration.lost_share, calibration.leads
    counted, modelled = curve.false_share > 0, curve.false_model > 0
    axes.plot(lost * curve.false_share[counted], 100 * curve.available[counted], color=INK, label="counted")
    axes.plot(
        lost * curve.false_model[modelled], 100 * curve.available[modelled], color=BAD, ls="--", label="fitted tail"
    )
    for one_in in ONE_IN:
        share = float(np.interp(tail.threshold(one_in * lost), curve.thresholds, curve.available))
        axes.plot(1 / one_in, 100 * share, "o", color=GOOD)
        at = (1 / one_in, 100 * share)
        axes.annotate(f"1 in {one_in}", at, xytext=(4, 4), textcoords="offset points", fontsize=8)
    axes.set(xscale="log", xlabel="false fixes per frame over the map", ylabel="frames fixed, each alone, %")
    axes.set(xlim=(3e-5, 1), ylim=(0, 102), title="operating curve")
    axes.legend(loc="lower right", fontsize=8)


def _tail(axes: Any, curve: Curve) -> None:
    counted = curve.false_share > 0
    label = f"{curve.wrong_frames} wrong frames"
    axes.plot(curve.thresholds[counted], curve.false_share[counted], color=INK, label=label)
    axes.plot(curve.thresholds, curve.false_model, color=BAD, ls="--", label="exponential tail")
    axes.axhline(1 / max(curve.wrong_frames, 1), color=MUTED, ls=":", label="beyond the data below")
    axes.set(
        yscale="log",
        ylim=(1e-5, 1.2),
        xlabel="lead over the next best place, sigma",
        ylabel="share of wrong matches beyond",
    )
    axes.set(title="how good wrong matches look")
    axes.legend(loc="upper right", fontsize=8)


def _coverage(axes: Any, proof: Proof) -> None:
    sigmas = np.linspace(0, 4, 100)
    axes.plot(sigmas, 100 * (1 - np.exp(-(sigmas**2) / 2)), color=MUTED, ls="--", label="right covariance")
    inside = [100 * float((proof.sigmas <= s).mean()) for s in sigmas]
    axes.plot(sigmas, inside, color=INK, label=f"{proof.matches} held-out matches")
    axes.set(xlabel="sigmas", ylabel="errors inside, %", ylim=(0, 102))
    axes.set(title=f"coverage; NEES {proof.nees:.2f} per degree of freedom")
    axes.legend(loc="lower right", fontsize=8)
