"""The flights that the shipped calibration is fitted to, over grounds of their own: in order, or a little off."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mift_ros.inference.embedder import Embedder
from mift_ros.simulation.disturbances import Disturbances, Phase
from mift_ros.simulation.flight import FlightPlan, simulate
from mift_ros.simulation.landuse import CITY, FARMLAND, INDUSTRY, TOWN, WOODLAND
from mift_ros.stress.grounds import COUNTRYSIDE, Ground, Progress, prepare_ground

SIDE_M = 1000.0
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
                compressed=True, phases=(Phase(SECONDS, TROUBLES[(3 * self.ground.seed + k) % len(TROUBLES)]),),
            )
            for k, height_m in enumerate(self.heights_m)
        ]  # fmt: skip


KINDS = {
    "town": (TOWN, 6),
    "country": (COUNTRYSIDE, 6),
    "city": (CITY, 3),
    "industry": (INDUSTRY, 3),
    "farmland": (FARMLAND, 3),
    "woodland": (WOODLAND, 3),
}
"""What the grounds are like, and how many of each: errors over one ground are alike, so few flights over many."""
HEIGHTS_M = ((58.0, 100.0, 155.0), (62.0, 110.0, 170.0), (75.0, 125.0, 190.0), (90.0, 145.0, 210.0))
FIRST_SEED = 1000


def _grounds() -> tuple[FlownGround, ...]:
    characters = [(name, character) for name, (character, count) in KINDS.items() for _ in range(count)]
    return tuple(
        FlownGround(f"{name}{seed}", Ground(seed, SIDE_M, SIDE_M, character), HEIGHTS_M[seed % len(HEIGHTS_M)])
        for seed, (name, character) in enumerate(characters, FIRST_SEED)
    )


GROUNDS = _grounds()


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
