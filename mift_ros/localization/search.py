"""Exhaustive search: every query against every tile, and per tile all poses together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mift_ros.cache.reader import MapCache
from mift_ros.errors import ModelError
from mift_ros.inference.embedder import Embedder
from mift_ros.localization.cosines import tile_cosines
from mift_ros.localization.hypotheses import Hypotheses, Hypothesis

LEAST_TILES = 100
"""Tiles whose scores tell what a pose scores at a wrong one."""
POSE_TEMPERATURE = 0.07
"""How much a pose counts beside a tile's best one, in units of the cosine. The right tile resembles the view turned by
20 or 40 degrees too, a wrong one does so by chance (docs/localization.md)."""


@dataclass(frozen=True)
class Scores:
    """Per tile the score of all poses together [N] and the best pose [N]; of each pose compared its own [N]."""

    joint: npt.NDArray[np.float32]
    pose: npt.NDArray[np.intp]
    by_pose: Mapping[int, npt.NDArray[np.float32]]


class TileVote:
    """Joins the looks of one pose: each look's cosines are moved by its shift over the tile grid and averaged."""

    def __init__(self, cells: npt.NDArray[np.int32], rows: int, cols: int, stride_m: float) -> None:
        self._place = cells[:, 0].astype(np.intp) * cols + cells[:, 1]
        self._shape = (rows, cols)
        self._full = np.array_equal(self._place, np.arange(rows * cols))
        self._stride_m = stride_m

    def grid(self, per_tile: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Values per tile [N] on the grid [rows, cols]; cells without a tile get the least value."""
        if self._full:
            return per_tile.reshape(self._shape)
        grid = np.full(self._shape, per_tile.min(), np.float32)
        grid.ravel()[self._place] = per_tile
        return grid

    def __call__(self, cosine: npt.NDArray[np.float32], shifts_m: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """Mean score [N] of a view centred on each tile, from its looks [L, N] with east/north shifts [L, 2]."""
        if len(cosine) == 1:
            return np.asarray(cosine[0])
        joint = np.zeros(self._shape, np.float32)
        size = (self._shape[1], self._shape[0])
        for look, (east, north) in zip(cosine, shifts_m / self._stride_m):
            if not (east or north):
                joint += self.grid(look)
                continue
            move = np.array([[1.0, 0.0, east], [0.0, 1.0, -north]])
            # beyond the map a look says nothing, for or against
            mean = float(look.mean())
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            joint += cv2.warpAffine(
                self.grid(look), move, size, flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=(mean,)
            )
        return np.asarray(joint.ravel()[self._place] / len(cosine), np.float32)


def over_poses(
    cosine: npt.NDArray[np.float32], poses: Sequence[Hypothesis], vote: TileVote, min_coverage: float
) -> Scores:
    """Scores of the tiles by the poses whose patch is covered well enough, from the cosines [Q, N] of all looks.

    Where no pose is, all scores are -inf.
    """
    seen = [index for index, pose in enumerate(poses) if pose.coverage >= min_coverage]
    if not seen:
        return Scores(np.full(cosine.shape[1], -np.inf, np.float32), np.zeros(cosine.shape[1], np.intp), {})
    scores = comparable(np.stack([vote(cosine[poses[k].looks], poses[k].shifts_m) for k in seen]))
    return Scores(together(scores), np.array(seen, np.intp)[scores.argmax(axis=0)], dict(zip(seen, scores)))


def together(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Scores [P, N] of P poses to one per tile [N]: of their likelihoods exp(score / POSE_TEMPERATURE) the mean.

    The vehicle has one heading and height, not known which: they are marginalised, every pose being as likely as any
    other before. A single pose's scores are kept.
    """
    best = scores.max(axis=0)
    mean = np.zeros_like(best)
    for pose in scores:
        mean += np.exp((pose - best) / np.float32(POSE_TEMPERATURE))
    mean /= np.float32(len(scores))
    return np.asarray(best + np.float32(POSE_TEMPERATURE) * np.log(mean), np.float32)


def comparable(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Scores [P, N] of P poses over the same tiles, each moved and scaled to the mean location and spread of all.

    One patch resembles every tile more than another does, whatever it shows, and most tiles are wrong for any pose. So
    a pose is judged by how far a tile stands out among its own scores (z-normalisation, as Auckenthaler et al., Digital
    Signal Processing 10, 2000, do it with the models of speakers), in units that stay those of the cosine. The order of
    the tiles under one pose is kept, and a single pose's scores are. Over few tiles the right one sets its own measure:
    they stay as they are.
    """
    if scores.shape[1] < LEAST_TILES:
        return scores
    mean, deviation = scores.mean(axis=1, keepdims=True), scores.std(axis=1, keepdims=True)
    flat = deviation < np.finfo(np.float32).eps
    relative = (scores - mean) / np.where(flat, 1.0, deviation)
    return np.asarray(relative * deviation.mean() + mean.mean(), np.float32)


class MapSearch:
    """Scores every tile of one map for the poses of a frame.

    `cosine` compares embeddings with every tile, `vote` lays values per tile on the map's grid.

    Raises:
        CacheError: an embedding of the map is not a number.
    """

    def __init__(self, cache: MapCache, embedder: Embedder, min_coverage: float) -> None:
        self._embedder, self._min_coverage = embedder, min_coverage
        cache.require_numbers()
        self.cosine, self._centres_m = tile_cosines(cache.embeddings), cache.centres_m
        m = cache.manifest
        self.vote = TileVote(cache.cells, m.grid_rows, m.grid_cols, m.stride_m)

    def __call__(self, made: Hypotheses) -> Scores:
        """Scores of all tiles by the poses whose patch is covered well enough.

        Raises:
            ModelError: an embedding is not a number; in the belief it would stay for good.
        """
        embeddings = self._embedder.embed(made.patches)
        if not np.isfinite(embeddings).all():
            raise ModelError("the model's embedding of the image is not a number")
        cosine = self.cosine(embeddings)
        return over_poses(cosine, made.poses, self.vote, self._min_coverage)

    def vehicles_m(self, made: Hypotheses, scores: Scores) -> npt.NDArray[np.float64]:
        """Where the vehicle would be [N, 2] if what it saw were this tile from its best pose, for each."""
        offsets = np.array([made.offset_m(k) for k in range(len(made.poses))])
        return np.asarray(self._centres_m - offsets[scores.pose])
