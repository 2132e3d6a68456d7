"""Which places of a frame are verified: where the modes expect it, then the best tiles by belief times likelihood."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mift_ros.geometry.frames import wrap_deg
from mift_ros.localization.hypotheses import PARTS, Hypotheses
from mift_ros.localization.modes import Mode
from mift_ros.localization.places import Candidate
from mift_ros.localization.search import Scores
from mift_ros.localization.structure import parabola

EXPECTED = 4
"""Modes whose places are verified in every frame, whatever the tiles say."""
DEGREES_PER_SCALE = 100.0
"""A relative error of height of 10 % is as bad for an alignment as one of 10 degrees in heading."""


def likelihood(cosine: npt.NDArray[np.float32], temperature: float, outlier_share: float) -> npt.NDArray[np.float64]:
    """Per tile [N], up to a factor: a softmax of the cosines mixed with the chance that they say nothing."""
    sharp = np.exp((cosine - cosine.max()) / np.float32(temperature)).astype(np.float64)
    return np.asarray((1 - outlier_share) * sharp / sharp.sum() + outlier_share / len(cosine))


def where_expected(made: Hypotheses, modes: Sequence[Mode]) -> list[Candidate]:
    """Centre of the view at each of the first modes, with the nearest heading and height that are tried."""
    found = []
    for mode in modes[:EXPECTED]:
        nearest = int(np.argmin([_unlike(made, k, mode) for k in range(len(made.poses))]))
        centre = np.array(mode.position_m) + made.offset_m(nearest)
        pose = made.poses[nearest]
        found.append(Candidate(pose.view, (float(centre[0]), float(centre[1])), pose.heading_deg, 1.0))
    return found


def best_tiles(
    made: Hypotheses,
    scores: Scores,
    weight: npt.NDArray[np.float64],
    centres_m: npt.NDArray[np.float64],
    count: int,
) -> list[Candidate]:
    """The tiles of greatest weight [N], best first, each in the height and heading that fit it; none without weight."""
    count = min(count, int(np.count_nonzero(weight)))
    best = np.argpartition(-weight, count - 1)[:count]
    found = []
    for tile in best[np.argsort(-weight[best], kind="stable")]:
        view = made.poses[scores.pose[tile]].view
        east, north = centres_m[tile]
        found.append(Candidate(view, (float(east), float(north)), heading_deg(made, scores, int(tile)), 1.0))
    return found


def heading_deg(made: Hypotheses, scores: Scores, tile: int) -> float:
    """Heading in which a tile fits best, to a part of the step between those that were tried.

    It lies where the parabola through the scores of its best pose and of the poses beside it has its vertex.
    """
    pose = int(scores.pose[tile])
    tried, beside = made.poses[pose].heading_deg, made.beside(pose)
    if beside is None or not {*beside[:2]} <= scores.by_pose.keys():
        return tried
    left, best, right = (float(scores.by_pose[k][tile]) for k in (beside[0], pose, beside[1]))
    vertex, _ = parabola(left, best, right)
    part = max(-1, min(1, round(PARTS * vertex)))
    return (tried + part * beside[2] / PARTS) % 360.0


def _unlike(made: Hypotheses, pose: int, mode: Mode) -> float:
    tried = made.poses[pose]
    turn = abs(wrap_deg(tried.heading_deg - mode.heading_deg))
    return turn + DEGREES_PER_SCALE * abs(math.log(made.heights_m[tried.view] / mode.height_agl_m))
