"""What is carried from frame to frame: the belief over the map, the modes, and how long ago the last fix was."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mift_ros.cache.reader import MapCache
from mift_ros.localization.belief import Belief
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.hypotheses import Outlook
from mift_ros.localization.modes import Modes, Sighting, Support, log_factor
from mift_ros.localization.motion import Motion, motion_between
from mift_ros.localization.quality import Refusal
from mift_ros.localization.types import Reason, Telemetry

NS = 1e9
OUTSIDE_AT_START = 0.1
"""Probability, before anything is seen, that the vehicle is not over the map."""
GROUND_IN_TILES = 2.0
"""Distance, in tiles, over which a frame comes to show other ground and its errors other errors: a view's extent."""
VELOCITY_LASTS_S = 1.0
"""A velocity that nothing tells is another one after so long; frames that follow faster share theirs."""
LIKELY = 0.5
"""Probability from which the first mode says which heading and height to try."""
DOUBT_AFTER, DOUBT_EVERY = 6, 3
"""After so many frames without a fix the flight's heading and height so far are doubted, in one frame of so many."""
APART_SIGMA = 3.0
"""Priors this far apart, in sigmas of both, are not the same one told twice."""
ANEW_AFTER = 5
"""Late frames, one after the other, that are no late ones: time goes on from an earlier one."""
STRONGEST = math.log(50.0)
"""Greatest log factor by which one match raises its cells: the map may hold the same place twice."""


def belief_over(cache: MapCache) -> Belief:
    """The belief over the tiles of a map before anything is seen."""
    m = cache.manifest
    first = cache.centres_m[0] - cache.cells[0][::-1] * np.array([m.stride_m, -m.stride_m])
    return Belief(first[0], first[1], m.grid_rows, m.grid_cols, m.stride_m, OUTSIDE_AT_START)


class Tracker:
    """Call check_time and predict with each frame, update with what was matched in it, and end with fixed or missed."""

    def __init__(self, belief: Belief, tile_size_m: float, config: LocalizerConfig) -> None:
        self._config = config
        self._ground_m = GROUND_IN_TILES * tile_size_m
        self.belief = belief
        self.modes = Modes(config.max_speed_mps, self._ground_m, config.false_fix_one_in)
        self.reset()

    def reset(self) -> None:
        """Forget where the vehicle was: the next frame searches the whole map."""
        self.belief.reset()
        self.modes.clear()
        self._last: tuple[int, Telemetry] | None = None
        self._last_fix_ns: int | None = None
        self._remembered: Outlook | None = None
        self._moved_m = math.inf
        self._told: tuple[int, tuple[float, float], float] | None = None
        self._misses = 0
        self._late = 0
        self._latest_ns: int | None = None

    @property
    def followed(self) -> bool:
        """Whether a fix is behind the belief: tile scores alone err alike from frame to frame."""
        return self._last_fix_ns is not None

    @property
    def doubted(self) -> bool:
        """Whether this frame is to try all headings and heights that the telemetry leaves open."""
        return self._misses >= DOUBT_AFTER and self._misses % DOUBT_EVERY == 0

    def outlook(self) -> Outlook | None:
        """Heading and height of the first mode when it is likely, else as the last sure fix left them."""
        first = self.modes.first
        if self.doubted:
            return None
        if first is None or self.modes.probability(first) < LIKELY:
            return self._remembered if self.followed else None
        return Outlook(first.heading_deg, first.heading_sigma_deg, first.height_agl_m, first.height_sigma_m)

    def check_time(self, stamp_ns: int) -> Refusal | None:
        """Refuse a frame that is late or repeated; start again after a step back (a clock set, a bag played in a loop).

        A step back is one of more than `lost_after_s`, or ANEW_AFTER late frames in their own order and no other.
        """
        late_s = (self._last[0] - stamp_ns) / NS if self._last else -1.0
        if late_s < 0:
            self._late, self._latest_ns = 0, None
            return None
        in_order = self._latest_ns is not None and stamp_ns > self._latest_ns
        self._late, self._latest_ns = self._late + 1 if in_order else 1, stamp_ns
        if late_s > self._config.lost_after_s or self._late == ANEW_AFTER:
            self.reset()
            return None
        detail = f"the frame is {late_s:.3f} s before the last one or repeats it"
        return Refusal(Reason.STALE, detail, {"late_s": late_s})

    def predict(self, stamp_ns: int, telemetry: Telemetry) -> None:
        """Move belief and modes to the time of the frame; lost for long, the belief starts again."""
        if self._last is not None:
            before_ns, before = self._last
            self._move(motion_between(before, telemetry, (stamp_ns - before_ns) / NS, self._config))
        anchor = self._last_fix_ns
        if anchor is not None and (stamp_ns - anchor) / NS > self._config.lost_after_s:
            self.belief.reset()
            self._last_fix_ns = None
        self._last = (stamp_ns, telemetry)

    def update(
        self, likelihood: npt.NDArray[np.float32], patch_offset_m: npt.ArrayLike, sightings: Sequence[Sighting]
    ) -> list[Support]:
        """Fold in the tile scores [rows, cols] and the matches; what supports each match.

        Ground that was seen before adds as little as it is new.
        """
        news = min(self._moved_m / self._ground_m, 1.0)
        self._moved_m = 0.0
        self.belief.update(likelihood, patch_offset_m, news)
        for sighting in sightings:
            factor = min(log_factor(sighting.share_here), STRONGEST)
            if factor > 0:
                self.belief.sighted(*sighting.position_m, math.exp(news * factor))
        return self.modes.update(sightings)

    def told(self, position_m: tuple[float, float], sigma_m: float) -> None:
        """A prior: news until there is a fix, unless it repeats the one before.

        Priors of one source err alike: the same one twice would be as good as one of half the variance.
        """
        if self.followed or self._last is None:
            return
        now_ns = self._last[0]
        if self._told is not None:
            at_ns, before_m, before_sigma_m = self._told
            apart = math.dist(position_m, before_m) / math.hypot(sigma_m, before_sigma_m)
            if apart < APART_SIGMA and (now_ns - at_ns) / NS < self._config.lost_after_s:
                return
        self._told = now_ns, position_m, sigma_m
        self.belief.concentrate(*position_m, sigma_m)

    def fixed(self, stamp_ns: int, position_m: tuple[float, float], sigma_m: float, probability: float) -> None:
        """A fix was published, at a place of that probability."""
        self._last_fix_ns, self._misses = stamp_ns, 0
        if probability >= self._config.min_posterior:
            self.belief.concentrate(*position_m, sigma_m)
            self._remembered = self.outlook()

    def missed(self) -> None:
        """The frame was matched and gave no fix."""
        self._misses += 1

    def _move(self, motion: Motion) -> None:
        self.modes.predict(motion)
        self._remembered = self._remembered and self._remembered.moved(motion)
        if motion.shift_m is not None:
            shift, sigma_m = motion.shift_m, motion.shift_sigma_m
        else:
            spread_s = math.sqrt(motion.elapsed_s * max(motion.elapsed_s, VELOCITY_LASTS_S))
            shift, sigma_m = (0.0, 0.0), 1.0 + self._config.max_speed_mps / 2 * spread_s
        self.belief.predict(shift, sigma_m)
        self._moved_m += math.hypot(*shift) if motion.shift_m is not None else self._guessed_m(motion.elapsed_s)

    def _guessed_m(self, elapsed_s: float) -> float:
        """Distance travelled when no odometry tells it: at the first mode's speed, else at half the greatest."""
        first = self.modes.first
        if first is not None and self.modes.probability(first) >= LIKELY:
            return float(np.hypot(*first.state[2:])) * elapsed_s
        return self._config.max_speed_mps / 2 * elapsed_s
