"""The flights that the shipped calibration is fitted to, over grounds of their own: in order, or a little off."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mift_ros.inference.embedder import Embedder
from mift_ros.simulation.disturbances import Disturbances, Phase
from mift_ros.simulation.flight import FlightPlan, simulate
from mift_ros.stress.grounds import COUNTRYSIDE, Ground, Progress, prepare_ground

TOWN_M = 760.0
SECONDS = 60.0
RATE_HZ = 0.25
"""Images that overlap err alike: at 12 m/s they are 48 m apart, two thirds of a tile."""
WIND = Disturbances(wind_mps=8.0, wind_from_deg=250.0, gust_mps=2.0, gust_tilt_deg=3.0)
TROUBLES = (Disturbances(), WIND, Disturbances(tilt_deg=12.0), Disturbances(), Disturbances(tilt_deg=25.0))
"""What goes wrong, flight by flight and from the start again."""


@dataclass(frozen=True)
class FlownGround:
    """A ground and the heights above it of its flights, one each."""

    name: str
    ground: Ground
    heights_m: tuple[float, ...]

    @property
    def plans(self) -> list[FlightPlan]:
        """How the flights are flown."""
        return [
            FlightPlan(
                seed=100 * self.ground.seed + k, minutes=SECONDS / 60, rate_hz=RATE_HZ, height_agl_m=height_m,
                compressed=True, phases=(Phase(SECONDS, TROUBLES[(self.ground.seed + k) % len(TROUBLES)]),),
            )
            for k, height_m in enumerate(self.heights_m)
        ]  # fmt: skip


LOW_M = (58.0, 70.0, 84.0, 96.0, 108.0, 120.0, 135.0, 150.0)
HIGH_M = (80.0, 100.0, 120.0, 145.0, 175.0, 210.0)
GROUNDS = (
    *(FlownGround(f"town{seed}", Ground(seed, TOWN_M, TOWN_M), LOW_M) for seed in range(1000, 1006)),
    *(FlownGround(f"town{seed}", Ground(seed), HIGH_M) for seed in range(1010, 1013)),
    FlownGround("country1013", Ground(1013, character=COUNTRYSIDE), HIGH_M),
)


def prepare(flown: FlownGround, folder: Path, embedder: Embedder, progress: Progress) -> list[str]:
    """Make a ground, its cache and its flights in `folder`, or take what is there; BAG=CACHE of each flight.

    Raises:
        MiftError: one of them cannot be made.
    """
    files = prepare_ground(flown.ground, folder / flown.name, embedder, progress)
    bags = [folder / flown.name / f"flight{k}" for k in range(len(flown.plans))]
    for bag, plan in zip(bags, flown.plans):
        if not bag.exists():
            told = partial(progress, f"{flown.name}: {bag.name}")
            simulate(files.world.look, bag, plan, files.world.look, files.world.heights, told)
    return [f"{bag}={files.cache}" for bag in bags]
