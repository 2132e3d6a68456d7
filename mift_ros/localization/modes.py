"""The places that verified matches speak for, each with its heading, height and evidence.

A tile that looks like the image is weak evidence, an aligned match is strong: where it lies, how it is turned and how
high the camera was must agree with the match before, moved by odometry, or it is another place. Each such place is a
mode, a Kalman filter over position and velocity (constant velocity, or moved by odometry) with a heading and a height.

The evidence of a mode is a product of factors, each of expectation at most 1 if the place is wrong. Such a product
exceeds N with a probability of at most 1/N, however long it runs (Ville's inequality), so the threshold is the user's
"at most one false fix in N". From the share p of wrong matches that look as good, the factor is p ** -0.5 / 2 (its
integral over p is 1: Vovk and Wang, E-values: calibration, combination and applications, Ann. Statist. 49, 2021).

That holds for factors of different ground. A wrong match that repeats, because the vehicle hovers or circles, is one
and the same: over ground that was seen before the product can at most come back to where it already was. And a match
that is clearer than all of the product starts a new one, so that it is per start that 1/N holds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mift_ros.geometry.frames import wrap_deg
from mift_ros.localization.motion import Motion
from mift_ros.localization.seen import SeenGround

Vector = npt.NDArray[np.float64]
KEPT = 24
ALIGNMENT_SIGMA_M = 6.0
HEADING_SIGMA_DEG = 2.0
HEIGHT_SIGMA = 0.03
ACCELERATION_MPS2 = 2.0
"""One sigma, as white noise, of what turns and gusts do to a constant velocity."""
GATE = 13.8
"""Squared Mahalanobis distance that 99.9 % of right matches keep (two degrees of freedom)."""
GATE_FLOOR_DEG = 15.0
UNLIKELY = 0.05
"""Where wrong matches look as good in more than this share of frames, a match counts as a miss."""
MISSED = math.log(0.1)
"""Log evidence of a frame that does not show what the mode promises."""
LEAST = math.log(1e-3)
"""Log evidence below which a mode is dropped."""
HEADROOM = math.log(20.0)
"""How far the log evidence may exceed what a fix needs: two frames without a match must be enough to doubt."""
LOST_SIGMA_M = 150.0
SAME_MODE_M = 15.0


class Sighting(NamedTuple):
    """A verified match: the vehicle's place, heading and height if it is right.

    `share_here` and `share_anywhere` are of frames in which a wrong match would look as good, at this place and
    anywhere on the map.
    """

    position_m: tuple[float, float]
    heading_deg: float
    height_agl_m: float
    share_here: float
    share_anywhere: float


class Support(NamedTuple):
    """Probability of the mode that a sighting belongs to, before the frame (0 for a new one) and after it."""

    before: float
    after: float


@dataclass
class Mode:
    """`state` [4] is east, north and their speeds, `spread` [4, 4] its covariance; `log_evidence` against chance."""

    state: Vector
    spread: Vector
    heading_deg: float
    heading_sigma_deg: float
    height_agl_m: float
    height_sigma_m: float
    log_evidence: float
    seen: SeenGround
    most: float
    """Greatest log evidence so far."""
    seen_at_m: Vector = field(default_factory=lambda: np.zeros(2))
    travelled_m: float = 0.0

    @property
    def position_m(self) -> tuple[float, float]:
        """East/north in the map frame."""
        return float(self.state[0]), float(self.state[1])

    @property
    def sigma_m(self) -> float:
        """One sigma of the position along its worst axis."""
        return math.sqrt(float(np.linalg.eigvalsh(self.spread[:2, :2])[-1]))


class Modes:
    """At most KEPT modes, the most likely first. Call predict, then update, once per frame."""

    def __init__(self, max_speed_mps: float, ground_m: float, one_in: float) -> None:
        """`ground_m`: frames further apart than this show different ground. `one_in`: see the module."""
        self._speed_sigma_mps = max_speed_mps / 2
        self._ground_m = ground_m
        self._ceiling = math.log(one_in) + HEADROOM
        self.all: list[Mode] = []

    def clear(self) -> None:
        """Forget everything."""
        self.all = []

    @property
    def first(self) -> Mode | None:
        """The most likely mode."""
        return self.all[0] if self.all else None

    def probability(self, mode: Mode | None) -> float:
        """Of a mode, against all others and against none of them; 0 for none and for one absorbed by another."""
        if mode is None or not any(mode is other for other in self.all):
            return 0.0
        return 1.0 / (
            math.exp(-mode.log_evidence) + sum(math.exp(m.log_evidence - mode.log_evidence) for m in self.all)
        )

    def predict(self, motion: Motion) -> None:
        """Move every mode; those that nobody has seen for too long are dropped."""
        for mode in self.all:
            _move(mode, motion)
        self.all = [mode for mode in self.all if mode.sigma_m < LOST_SIGMA_M]

    def update(self, sightings: Sequence[Sighting]) -> list[Support]:
        """Weigh every mode by what was seen where it should be, start modes elsewhere; what supports each sighting."""
        before = [self.probability(mode) for mode in self.all]
        found: list[int | None] = [None] * len(sightings)
        for index, mode in enumerate(self.all):
            near = [k for k, sighting in enumerate(sightings) if _belongs(mode, sighting)]
            best = min(near, key=lambda k: sightings[k].share_here) if near else None
            self._weigh(mode, None if best is None else sightings[best])
            if best is not None and self._better(index, found[best]):
                found[best] = index
        known = list(self.all)
        modes = [self._born(s) if index is None else known[index] for index, s in zip(found, sightings)]
        self.all = self._kept([*known, *(m for index, m in zip(found, modes) if index is None)])
        return [
            Support(0.0 if index is None else before[index], self.probability(mode))
            for index, mode in zip(found, modes)
        ]

    def _better(self, index: int, other: int | None) -> bool:
        return other is None or self.all[index].log_evidence > self.all[other].log_evidence

    def _weigh(self, mode: Mode, sighting: Sighting | None) -> None:
        """The evidence of one frame; ground that was seen before only makes good what frames without a match took."""
        if sighting is None or sighting.share_here > UNLIKELY:
            mode.log_evidence += MISSED
            return
        _correct(mode, sighting)
        moved = max(mode.travelled_m, math.dist(mode.position_m, mode.seen_at_m))
        factor = log_factor(sighting.share_here)
        new = mode.log_evidence + mode.seen.news(mode.position_m) * factor
        again = min(mode.log_evidence + min(moved / self._ground_m, 1.0) * factor, mode.most)
        # what went before must not make a place worse than one that is seen for the first time
        mode.log_evidence = max(new, again, log_factor(sighting.share_anywhere))
        mode.most = max(mode.most, mode.log_evidence)
        mode.seen_at_m, mode.travelled_m = mode.state[:2].copy(), 0.0

    def _born(self, sighting: Sighting) -> Mode:
        state = np.array([*sighting.position_m, 0.0, 0.0])
        spread = np.diag([ALIGNMENT_SIGMA_M**2] * 2 + [self._speed_sigma_mps**2] * 2)
        evidence = log_factor(sighting.share_anywhere)
        height_sigma_m = HEIGHT_SIGMA * sighting.height_agl_m
        seen = SeenGround(self._ground_m)
        seen.news(sighting.position_m)
        return Mode(
            state, spread, sighting.heading_deg, HEADING_SIGMA_DEG, sighting.height_agl_m, height_sigma_m, evidence,
            seen, evidence, state[:2].copy(),
        )  # fmt: skip

    def _kept(self, modes: list[Mode]) -> list[Mode]:
        """The most likely, one per place; all are lowered together when the first is surer than it should be."""
        kept: list[Mode] = []
        for mode in sorted(modes, key=lambda m: m.log_evidence, reverse=True):
            if mode.log_evidence < LEAST or len(kept) == KEPT:
                break
            if not any(_same(mode, other) for other in kept):
                kept.append(mode)
        excess = max(kept[0].log_evidence - self._ceiling, 0.0) if kept else 0.0
        for mode in kept:
            mode.log_evidence -= excess
            mode.most -= excess
        return kept


def log_factor(share: float) -> float:
    """Log evidence of a match as good as this share of the wrong ones."""
    return -0.5 * math.log(max(min(share, 1.0), 1e-12)) - math.log(2.0)


def _move(mode: Mode, motion: Motion) -> None:
    dt = motion.elapsed_s
    before = mode.state[:2].copy()
    if motion.shift_m is not None:
        mode.state[:2] += motion.shift_m
        mode.spread[:2, :2] += np.eye(2) * motion.shift_sigma_m**2
        if dt > 0:
            mode.state[2:] = np.array(motion.shift_m) / dt
            mode.spread[2:] = mode.spread[:, 2:] = 0.0
            mode.spread[2:, 2:] = np.eye(2) * (motion.shift_sigma_m / dt + ACCELERATION_MPS2) ** 2
    else:
        step = np.eye(4) + dt * np.eye(4, k=2)
        push = np.vstack([np.eye(2) * dt**2 / 2, np.eye(2) * dt]) * ACCELERATION_MPS2
        mode.state = step @ mode.state
        mode.spread = step @ mode.spread @ step.T + push @ push.T
    mode.travelled_m += math.dist(before, mode.state[:2])
    mode.heading_deg = (mode.heading_deg + motion.turn_deg) % 360.0
    mode.heading_sigma_deg = min(math.hypot(mode.heading_sigma_deg, motion.turn_sigma_deg), 180.0)
    mode.height_agl_m *= motion.growth
    mode.height_sigma_m = math.hypot(mode.height_sigma_m, motion.growth_sigma_m)


def _belongs(mode: Mode, sighting: Sighting) -> bool:
    """Whether a match lies and is turned as the mode promises."""
    turn = abs(wrap_deg(sighting.heading_deg - mode.heading_deg))
    if turn > max(3 * math.hypot(mode.heading_sigma_deg, HEADING_SIGMA_DEG), GATE_FLOOR_DEG):
        return False
    gap = np.array(sighting.position_m) - mode.state[:2]
    spread = mode.spread[:2, :2] + np.eye(2) * ALIGNMENT_SIGMA_M**2
    return float(gap @ np.linalg.solve(spread, gap)) <= GATE


def _correct(mode: Mode, sighting: Sighting) -> None:
    """Kalman update by the match's place, heading and height."""
    gain = mode.spread[:, :2] @ np.linalg.inv(mode.spread[:2, :2] + np.eye(2) * ALIGNMENT_SIGMA_M**2)
    mode.state = mode.state + gain @ (np.array(sighting.position_m) - mode.state[:2])
    mode.spread = mode.spread - gain @ mode.spread[:2]
    mode.spread = (mode.spread + mode.spread.T) / 2
    turn = wrap_deg(sighting.heading_deg - mode.heading_deg)
    share, mode.heading_sigma_deg = _mixed(mode.heading_sigma_deg, HEADING_SIGMA_DEG)
    mode.heading_deg = (mode.heading_deg + share * turn) % 360.0
    share, mode.height_sigma_m = _mixed(mode.height_sigma_m, HEIGHT_SIGMA * sighting.height_agl_m)
    mode.height_agl_m += share * (sighting.height_agl_m - mode.height_agl_m)


def _mixed(sigma: float, measured_sigma: float) -> tuple[float, float]:
    """Weight of a measurement in one unknown, and the sigma after it."""
    share = sigma**2 / (sigma**2 + measured_sigma**2)
    return share, math.sqrt(share) * measured_sigma


def _same(a: Mode, b: Mode) -> bool:
    turn = abs(wrap_deg(a.heading_deg - b.heading_deg))
    return math.dist(a.position_m, b.position_m) < SAME_MODE_M and turn < GATE_FLOOR_DEG
