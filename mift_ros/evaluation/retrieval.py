"""The search by itself: which place among all tiles the right one gets, before belief and refinement."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mift_ros.cache.reader import MapCache
from mift_ros.errors import BagError, GeometryError
from mift_ros.evaluation.flight import Flight, FlightSample
from mift_ros.inference.embedder import Embedder
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.hypotheses import Hypotheses, make_hypotheses
from mift_ros.localization.quality import check_telemetry
from mift_ros.localization.search import MapSearch, Scores
from mift_ros.localization.types import Frame, Telemetry

NAN = math.nan


@dataclass(frozen=True)
class Ranked:
    """One frame: rank among all tiles of the first right one, 0 is best; NaN with a `problem` where there is none.

    `cosine` is its score and `best_cosine` that of the first of all tiles; `seconds` go from the image to the scores.
    """

    stamp_ns: int
    rank: float = NAN
    cosine: float = NAN
    best_cosine: float = NAN
    seconds: float = NAN
    problem: str = ""


@dataclass(frozen=True)
class Searched:
    """A frame against every tile: the poses tried, per tile the best score, and where the vehicle would be [N, 2]."""

    made: Hypotheses
    scores: Scores
    vehicles_m: npt.NDArray[np.float64]


class FrameSearch:
    """The localizer's search of one map, without belief and without refinement.

    Raises:
        CacheError: the cache was built with another model than the embedder's.
    """

    def __init__(self, cache: MapCache, embedder: Embedder, config: LocalizerConfig) -> None:
        cache.manifest.check_model(embedder.identity, str(cache.path))
        self._manifest, self._config = cache.manifest, config
        self._search = MapSearch(cache, embedder, config.min_coverage)
        self.vote = self._search.vote

    def __call__(self, frame: Frame, telemetry: Telemetry) -> Searched | str:
        """Scores of all tiles, or why the frame cannot be searched for."""
        if refusal := check_telemetry(frame, telemetry, self._config):
            return refusal.detail
        m = self._manifest
        try:
            made = make_hypotheses(frame, telemetry, self._config, m.tile_size_m, m.input_size)
        except GeometryError as error:
            return str(error)
        scores = self._search(made)
        return Searched(made, scores, self._search.vehicles_m(made, scores))


class Retrieval:
    """Ranks the tiles of one map for each frame alone, as the localizer's search does.

    A tile is right when a vehicle that saw it from the tile's best pose would be within `within_m` of the truth.
    """

    def __init__(self, cache: MapCache, embedder: Embedder, config: LocalizerConfig, within_m: float) -> None:
        self._cache, self._within_m = cache, within_m
        self._search = FrameSearch(cache, embedder, config)

    def over(self, flight: Flight) -> Iterator[Ranked]:
        """One rank per image that has a truth.

        Raises:
            BagError: no image has one.
        """
        judged = 0
        for sample in flight.samples():
            if sample.truth is not None:
                judged += 1
                yield self._rank(sample)
        if not judged:
            raise BagError(f"{flight.bag.path}: no image has a truth to be ranked against")

    def _rank(self, sample: FlightSample) -> Ranked:
        if sample.frame is None or sample.truth is None:
            return Ranked(sample.stamp_ns, problem=sample.problem)
        started = time.perf_counter()
        searched = self._search(sample.frame, sample.telemetry)
        seconds = time.perf_counter() - started
        if isinstance(searched, str):
            return Ranked(sample.stamp_ns, problem=searched)
        truth, scores = self._cache.frame.to_local(sample.truth.lat_deg, sample.truth.lon_deg), searched.scores
        right = np.hypot(*(searched.vehicles_m - truth).T) <= self._within_m
        if not right.any():
            return Ranked(sample.stamp_ns, seconds=seconds, problem=f"no tile within {self._within_m:g} m of the truth")
        found = float(scores.joint[right].max())
        rank = float(np.count_nonzero(scores.joint > found))
        return Ranked(sample.stamp_ns, rank, found, float(scores.joint.max()), seconds)


def recall(ranked: Sequence[Ranked], k: int) -> float:
    """Share of the frames with a right tile among the first k; a frame without a rank counts as not found."""
    return sum(frame.rank < k for frame in ranked) / len(ranked) if ranked else NAN
