"""Plots of a replay as PNG bytes, drawn without a display."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from matplotlib.figure import Figure

from mift_ros.cache.reader import MapCache
from mift_ros.evaluation.metrics import FALSE_MIN_M, FAR_M, Error
from mift_ros.evaluation.records import FrameRecord

INK, MUTED, GRID = "#1d2733", "#7b8794", "#e4e7eb"
TRUTH, GOOD, DOUBTFUL, BAD, NONE = "#2f80ed", "#14915f", "#e58a00", "#d1293d", "#9aa5b1"
RASTER_SIDE = 1400
"""Pixels of the map behind the trajectory at most."""


def trajectory_png(records: Sequence[FrameRecord], errors: Sequence[Error | None], cache: MapCache) -> bytes:
    """Truth, fixes coloured by their error, and where there was none, over the map of the cache."""
    figure, (axes,) = new_figure(9.0, 8.4)
    _draw_map(axes, cache)
    truth = np.array([_truth_m(record, cache) for record in records])
    axes.plot(*truth.T, color=TRUTH, linewidth=1.6, label="truth", zorder=2)
    silent = np.array([record.fix is None for record in records], bool)
    if silent.any():
        axes.scatter(*truth[silent].T, s=26, marker="x", color=NONE, linewidths=1.4, label="no fix", zorder=3)
    fixes = [(i, r.fix) for i, r in enumerate(records) if r.fix]
    places = cache.frame.to_local([f.lat_deg for _, f in fixes], [f.lon_deg for _, f in fixes]).reshape(-1, 2)
    for (i, _), place in zip(fixes, places):
        axes.plot(*np.stack([truth[i], place]).T, color=BAD, linewidth=0.7, alpha=0.7, zorder=3)
    for colour, label, chosen in _classes([errors[i] for i, _ in fixes]):
        axes.scatter(*places[chosen].T, s=34, color=colour, edgecolors="white", linewidths=0.6, label=label, zorder=4)
    axes.set(xlabel="east of the map's centre, m", ylabel="north of the map's centre, m", aspect="equal")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper right", framealpha=0.92, edgecolor=GRID)
    return png_of(figure)


def error_png(records: Sequence[FrameRecord], errors: Sequence[Error | None]) -> bytes:
    """Error over time with what each fix says of itself, and the distribution of the errors."""
    figure, axes = new_figure(11.0, 3.9, width_ratios=[3, 1])
    seconds = _seconds(records)
    metres = np.array([e.horizontal_m if e else math.nan for e in errors])
    claimed = np.array([_three_sigma_m(record) for record in records])
    axes[0].plot(seconds, claimed, color=MUTED, linewidth=1.0, label="3 sigma of the fix")
    for colour, label, chosen in _classes(errors):
        axes[0].scatter(seconds[chosen], metres[chosen], s=16, color=colour, label=f"error, {label}", zorder=3)
    silent = seconds[[record.fix is None for record in records]]
    if len(silent):
        level = axes[0].get_xaxis_transform()
        axes[0].plot(silent, np.full(len(silent), 0.02), "|", color=NONE, markersize=9, label="no fix", transform=level)
    axes[0].set(xlabel="time, s", ylabel="horizontal error, m", yscale="symlog", ylim=(0, None))
    axes[0].yaxis.set_major_formatter("{x:g}")
    axes[0].legend(loc="lower left", bbox_to_anchor=(0, 1), ncol=5, fontsize=8, frameon=False)
    known = np.sort(metres[np.isfinite(metres)])
    axes[1].step(known, np.arange(1, len(known) + 1) / max(len(known), 1), color=GOOD, where="post")
    axes[1].set(xlabel="horizontal error, m", ylabel="share of fixes", ylim=(0, 1.02), xlim=(0, None))
    return png_of(figure)


def match_png(records: Sequence[FrameRecord], errors: Sequence[Error | None]) -> bytes:
    """Similarity over time, and similarity against lead: what tells good fixes from bad ones."""
    figure, axes = new_figure(11.0, 3.9, width_ratios=[3, 2])
    seconds = _seconds(records)
    similarity = np.array([r.fix.similarity if r.fix else math.nan for r in records])
    lead = np.array([r.fix.lead if r.fix else math.nan for r in records])
    for colour, label, chosen in _classes(errors):
        axes[0].scatter(seconds[chosen], similarity[chosen], s=16, color=colour, label=label)
        axes[1].scatter(similarity[chosen], lead[chosen], s=16, color=colour, label=label)
    axes[0].set(xlabel="time, s", ylabel="similarity")
    axes[1].set(xlabel="similarity", ylabel="lead over the next best place, sigma")
    if _classes(errors):
        axes[0].legend(loc="lower left", bbox_to_anchor=(0, 1), ncol=3, fontsize=8, frameon=False)
    return png_of(figure)


def _classes(errors: Sequence[Error | None]) -> list[tuple[str, str, Any]]:
    """Colour, label and mask of each class of error that occurs."""
    metres = np.array([e.horizontal_m if e else math.nan for e in errors])
    classes = [
        (GOOD, f"within {FALSE_MIN_M:g} m", metres <= FALSE_MIN_M),
        (DOUBTFUL, f"{FALSE_MIN_M:g} to {FAR_M:g} m", (metres > FALSE_MIN_M) & (metres <= FAR_M)),
        (BAD, f"beyond {FAR_M:g} m", metres > FAR_M),
    ]
    return [entry for entry in classes if entry[2].any()]


def _draw_map(axes: Any, cache: MapCache) -> None:
    m, raster = cache.manifest, cache.raster
    step = max(1, math.ceil(max(raster.shape) / RASTER_SIDE))
    size = (max(1, raster.shape[1] // step), max(1, raster.shape[0] // step))
    small = cv2.resize(np.ascontiguousarray(raster), size, interpolation=cv2.INTER_AREA)
    east, south = (
        m.raster_west_m + raster.shape[1] * m.raster_gsd_m,
        m.raster_north_m - raster.shape[0] * m.raster_gsd_m,
    )
    extent = (m.raster_west_m, east, south, m.raster_north_m)
    axes.imshow(small, cmap="gray", vmin=0, vmax=255, extent=extent, interpolation="bilinear", alpha=0.85, zorder=1)
    axes.autoscale(False)


def _truth_m(record: FrameRecord, cache: MapCache) -> tuple[float, float]:
    if record.truth is None:
        return math.nan, math.nan
    east, north = cache.frame.to_local(record.truth.lat_deg, record.truth.lon_deg)
    return float(east), float(north)


def _seconds(records: Sequence[FrameRecord]) -> Any:
    first = records[0].stamp_ns if records else 0
    return np.array([(record.stamp_ns - first) / 1e9 for record in records])


def _three_sigma_m(record: FrameRecord) -> float:
    if record.fix is None:
        return math.nan
    return 3.0 * math.sqrt(max(float(np.linalg.eigvalsh(record.fix.covariance[:2, :2])[-1]), 0.0))


def new_figure(width: float, height: float, width_ratios: Sequence[float] = (1,)) -> tuple[Figure, Any]:
    """A figure of one row of axes in the style of the report."""
    figure = Figure(figsize=(width, height), dpi=110, layout="constrained", facecolor="white")
    axes = figure.subplots(1, len(width_ratios), gridspec_kw={"width_ratios": width_ratios}, squeeze=False)[0]
    for axis in axes:
        axis.grid(color=GRID, linewidth=0.8)
        axis.set_axisbelow(True)
        axis.tick_params(colors=MUTED, labelsize=9)
        axis.xaxis.label.set_color(INK)
        axis.yaxis.label.set_color(INK)
        for spine in axis.spines.values():
            spine.set_color(GRID)
    return figure, axes


def png_of(figure: Figure) -> bytes:
    """The figure as a file's bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
