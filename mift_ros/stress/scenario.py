"""What a scenario of the suite is: a flight in legs, each with its name and its disturbances."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from mift_ros.evaluation.stretches import Stretch
from mift_ros.simulation.disturbances import Disturbances, Phase, Schedule
from mift_ros.simulation.flight import FlightPlan
from mift_ros.simulation.recorder import NS, START_NS

RATE_HZ = 1.0
DIGITS = 10


@dataclass(frozen=True)
class Leg:
    """A named part of a flight; `fix_due` says that the ground is distinctive and what is told of it is right."""

    name: str
    seconds: float
    disturbances: Disturbances = field(default_factory=Disturbances)
    fix_due: bool = True


@dataclass(frozen=True)
class Scenario:
    """A flight over a ground of the suite, one image per second; `text` says what is tried."""

    name: str
    text: str
    ground: str
    seed: int
    legs: tuple[Leg, ...]
    way_points_m: tuple[tuple[float, float], ...] = ()
    heading_known: bool = True
    height_agl_m: float = 120.0
    snow_cover: float = 0.0
    dry_share: float = 0.0

    @property
    def plan(self) -> FlightPlan:
        """How it is flown."""
        return FlightPlan(
            seed=self.seed, minutes=sum(leg.seconds for leg in self.legs) / 60.0, rate_hz=RATE_HZ,
            height_agl_m=self.height_agl_m, heading_known=self.heading_known, compressed=True,
            way_points_m=self.way_points_m, snow_cover=self.snow_cover, dry_share=self.dry_share, phases=self._phases,
        )  # fmt: skip

    @property
    def stretches(self) -> list[Stretch]:
        """The legs as the clock of the recording shows them, but those in which nothing is recorded."""
        schedule = Schedule(self._phases)
        found, start_s = [], 0.0
        for leg in self.legs:
            end_s = start_s + leg.seconds
            if not (leg.disturbances.silent or leg.disturbances.cut):
                start, end = (START_NS + round(schedule.clock_s(edge) * NS) for edge in (start_s, end_s))
                found.append(Stretch(leg.name, start, end, leg.fix_due))
            start_s = end_s
        return found

    @property
    def digest(self) -> str:
        """Tells this flight from any other: a bag of another digest is not taken for it."""
        return hashlib.sha256(repr((self.ground, self.plan)).encode()).hexdigest()[:DIGITS]

    @property
    def _phases(self) -> tuple[Phase, ...]:
        return tuple(Phase(leg.seconds, leg.disturbances) for leg in self.legs)
