"""What each block of the town is used for: its ground, what lies on it, what stands on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mift_ros.simulation.campus import build_campus
from mift_ros.simulation.canvas import Canvas
from mift_ros.simulation.country import plant_forest, plant_groups, plant_hedge, plant_orchard, sow
from mift_ros.simulation.layout import Block
from mift_ros.simulation.materials import ASPHALT, CONCRETE, GRASS, LAWN, MEADOW, Pair
from mift_ros.simulation.terraces import build_terraces, lay_car_park, plant_islands
from mift_ros.simulation.trees import Nursery
from mift_ros.simulation.urban import build_flats, build_halls, build_houses, lay_park, plant_park

Lay = Callable[[Canvas, Block, np.random.Generator], None]
Furnish = Callable[[Canvas, Block, np.random.Generator, Nursery], None]


def _nothing(canvas: Canvas, block: Block, rng: np.random.Generator) -> None:
    """Bare ground."""


class LandUse(NamedTuple):
    """Colour of the ground, what is painted before the roads, what is built and planted after them."""

    ground: Pair
    lay: Lay
    furnish: Furnish


Shares = tuple[tuple[LandUse, float], ...]


HOUSES = LandUse(LAWN, _nothing, build_houses)
FLATS = LandUse(LAWN, _nothing, build_flats)
HALLS = LandUse(CONCRETE, _nothing, build_halls)
YARDS = LandUse(ASPHALT, _nothing, build_halls)
PARK = LandUse(GRASS, lay_park, plant_park)
FIELD = LandUse(MEADOW, sow, plant_hedge)
FOREST = LandUse(GRASS, _nothing, plant_forest)
ORCHARD = LandUse(MEADOW, _nothing, plant_orchard)
PASTURE = LandUse(MEADOW, _nothing, plant_groups)

CAMPUS = LandUse(LAWN, _nothing, build_campus)
TERRACES = LandUse(CONCRETE, _nothing, build_terraces)
CAR_PARK = LandUse(ASPHALT, lay_car_park, plant_islands)


class Character(NamedTuple):
    """Uses with their shares of the blocks in the built-up middle of a place, around it and outside."""

    centre: Shares
    suburb: Shares
    country: Shares


TOWN = Character(
    centre=((HOUSES, 0.42), (FLATS, 0.2), (HALLS, 0.12), (YARDS, 0.1), (PARK, 0.16)),
    suburb=((HOUSES, 0.6), (HALLS, 0.08), (YARDS, 0.06), (PARK, 0.1), (FIELD, 0.1), (ORCHARD, 0.06)),
    country=((FIELD, 0.56), (FOREST, 0.2), (PASTURE, 0.12), (ORCHARD, 0.07), (HALLS, 0.05)),
)
UNIVERSITY = Character(
    centre=((CAMPUS, 0.62), (FLATS, 0.08), (HALLS, 0.05), (YARDS, 0.09), (PARK, 0.16)),
    suburb=((CAMPUS, 0.38), (HOUSES, 0.26), (FLATS, 0.12), (HALLS, 0.06), (YARDS, 0.06), (PARK, 0.12)),
    country=((FIELD, 0.4), (FOREST, 0.2), (HOUSES, 0.2), (PASTURE, 0.12), (HALLS, 0.08)),
)
CITY = Character(
    centre=((TERRACES, 0.6), (FLATS, 0.08), (YARDS, 0.08), (CAR_PARK, 0.1), (PARK, 0.14)),
    suburb=((TERRACES, 0.34), (HOUSES, 0.22), (FLATS, 0.12), (HALLS, 0.1), (CAR_PARK, 0.08), (PARK, 0.14)),
    country=((HOUSES, 0.3), (HALLS, 0.2), (CAR_PARK, 0.1), (FIELD, 0.25), (FOREST, 0.15)),
)
INDUSTRY = Character(
    centre=((HALLS, 0.4), (YARDS, 0.3), (CAR_PARK, 0.2), (PASTURE, 0.1)),
    suburb=((HALLS, 0.35), (YARDS, 0.25), (CAR_PARK, 0.15), (FLATS, 0.1), (PASTURE, 0.15)),
    country=((HALLS, 0.3), (YARDS, 0.15), (FIELD, 0.3), (FOREST, 0.1), (PASTURE, 0.15)),
)
FARMLAND = Character(
    centre=((HOUSES, 0.6), (HALLS, 0.2), (ORCHARD, 0.2)),
    suburb=((HOUSES, 0.35), (HALLS, 0.1), (PASTURE, 0.2), (ORCHARD, 0.15), (FIELD, 0.2)),
    country=((FIELD, 0.45), (PASTURE, 0.25), (FOREST, 0.18), (ORCHARD, 0.12)),
)
WOODLAND = Character(
    centre=((HOUSES, 0.5), (PASTURE, 0.3), (FOREST, 0.2)),
    suburb=((FOREST, 0.35), (PASTURE, 0.35), (HOUSES, 0.15), (FIELD, 0.15)),
    country=((FOREST, 0.45), (PASTURE, 0.35), (FIELD, 0.2)),
)


def choose_use(block: Block, rng: np.random.Generator, character: Character = TOWN) -> LandUse:
    """Draw a use that suits how built-up the place is."""
    dense, loose = block.density > 0.6, block.density > 0.25
    choices = character.centre if dense else character.suburb if loose else character.country
    weights = np.array([weight for _, weight in choices])
    return choices[rng.choice(len(choices), p=weights / weights.sum())][0]
