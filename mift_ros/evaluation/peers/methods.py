"""The rows of the comparison: the localizer's stages one after the other, then what it is compared with."""

from __future__ import annotations

from functools import partial

from mift_ros.cache.reader import MapCache
from mift_ros.evaluation.peers import keypoints
from mift_ros.evaluation.peers.classical import HEADING_STEP_DEG, MAX_KM2, SCALES, FullCorrelation
from mift_ros.evaluation.peers.compare import Method, Progress
from mift_ros.evaluation.peers.ours import AsFlown, BelievedCell, BestTile
from mift_ros.inference.embedder import Embedder
from mift_ros.localization.config import LocalizerConfig

CLASSICAL = "classical correlation"
"""The row whose seconds the others are compared with."""


def methods(cache: MapCache, embedder: Embedder, config: LocalizerConfig, progress: Progress) -> list[Method]:
    """All rows, in order."""
    ours = (cache, embedder, config)
    return [
        Method("retrieval only", f"{_ours(config)}; the best tile, always published", partial(BestTile, *ours)),
        Method("+ belief", "the same; the likeliest cell, always published", partial(BelievedCell, *ours)),
        Method("+ refinement, as flown", "the same; fixes only", partial(AsFlown, *ours)),
        Method(CLASSICAL, _classical(config), partial(FullCorrelation, cache, config)),
        Method(
            "AKAZE + USAC_MAGSAC", f"{_keypoints(config)}; published from {keypoints.MIN_INLIERS} inliers",
            partial(keypoints.KeypointHomography, cache, config, partial(progress, "describing the map")),
        ),
    ]  # fmt: skip


def _heading(config: LocalizerConfig) -> str:
    return "heading where the telemetry has it" if config.use_heading else "no heading"


def _ours(config: LocalizerConfig) -> str:
    searched = f"+-{config.heading_tolerance_deg:g} deg" if config.use_heading else f"{config.yaw_bins} tried"
    return f"{_heading(config)} ({searched}), height (+-{config.scale_tolerance:.0%})"


def _classical(config: LocalizerConfig) -> str:
    around = config.heading_tolerance_deg // HEADING_STEP_DEG * HEADING_STEP_DEG
    searched = f"+-{around:g} deg" if config.use_heading else f"{360 / HEADING_STEP_DEG:.0f} tried"
    given = f"{_heading(config)} ({searched}), height (+-{max(SCALES) - 1:.0%})"
    return f"{given}; the best of the whole map (up to {MAX_KM2:g} km2), always published"


def _keypoints(config: LocalizerConfig) -> str:
    tried = "" if config.use_heading else f" ({360 / keypoints.HEADING_STEP_DEG:.0f} tried)"
    return f"{_heading(config)}{tried}, height"
