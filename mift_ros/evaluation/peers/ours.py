"""The stages of the localizer as methods of their own: tiles alone, tiles with the belief, and all of it as flown."""

from __future__ import annotations

import numpy as np

from mift_ros.cache.reader import MapCache
from mift_ros.evaluation.peers.peer import Point, Stateless
from mift_ros.evaluation.retrieval import FrameSearch
from mift_ros.inference.embedder import Embedder
from mift_ros.localization.calibration import load_calibration
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.localizer import Localizer
from mift_ros.localization.proposal import likelihood
from mift_ros.localization.tracking import Tracker, belief_over
from mift_ros.localization.types import Fix, Frame, Telemetry


class BestTile(Stateless):
    """Retrieval only: the vehicle as if it had seen the centre of the best tile."""

    def __init__(self, cache: MapCache, embedder: Embedder, config: LocalizerConfig) -> None:
        self._search = FrameSearch(cache, embedder, config)

    def locate(self, frame: Frame, telemetry: Telemetry) -> Point | None:
        """Always published, unless the frame cannot be searched for."""
        searched = self._search(frame, telemetry)
        if isinstance(searched, str) or not np.isfinite(searched.scores.joint).any():
            return None
        east, north = searched.vehicles_m[int(searched.scores.joint.argmax())]
        return float(east), float(north)


class BelievedCell:
    """Retrieval and belief: the most probable cell after the tiles so far, moved as the localizer's is."""

    def __init__(self, cache: MapCache, embedder: Embedder, config: LocalizerConfig) -> None:
        self._search = FrameSearch(cache, embedder, config)
        self._outlier_share = config.outlier_share
        calibration = load_calibration(config.calibration, embedder.identity)
        self._temperature = config.similarity_temperature or calibration.temperature
        self._tracker = Tracker(belief_over(cache), cache.manifest.tile_size_m, config)

    def reset(self) -> None:
        """The same probability everywhere again."""
        self._tracker.reset()

    def locate(self, frame: Frame, telemetry: Telemetry) -> Point | None:
        """Always published, unless the frame cannot be searched for or comes late."""
        if self._tracker.check_time(frame.stamp_ns):
            return None
        searched = self._search(frame, telemetry)
        if isinstance(searched, str) or not np.isfinite(searched.scores.joint).any():
            return None
        scores = searched.scores
        per_tile = likelihood(scores.joint, self._temperature, self._outlier_share)
        self._tracker.predict(frame.stamp_ns, telemetry)
        seen_m = searched.made.offset_m(int(scores.pose[scores.joint.argmax()]))
        self._tracker.update(self._search.vote.grid(per_tile.astype(np.float32)), seen_m, [])
        return self._tracker.belief.likeliest_m()


class AsFlown:
    """The localizer with everything, its rejections included."""

    def __init__(self, cache: MapCache, embedder: Embedder, config: LocalizerConfig) -> None:
        self._localizer = Localizer(cache, embedder, config)

    def reset(self) -> None:
        """Search the whole map again."""
        self._localizer.reset()

    def locate(self, frame: Frame, telemetry: Telemetry) -> Point | None:
        """The position of a fix, None for a rejection."""
        result = self._localizer.locate(frame, telemetry)
        return result.position_m if isinstance(result, Fix) else None
