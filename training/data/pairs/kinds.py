"""The kinds of world that pairs are rendered from: what is built there, how dense, how hilly."""

from __future__ import annotations

from typing import NamedTuple

from mift_ros.simulation.landuse import CITY, FARMLAND, INDUSTRY, TOWN, UNIVERSITY, WOODLAND, Character
from mift_ros.simulation.layout import Plan


class Kind(NamedTuple):
    """What a world of a kind is drawn from; relief_m: range of the standard deviation of its terrain."""

    name: str
    character: Character
    plan: Plan
    relief_m: tuple[float, float] = (1.0, 14.0)
    has_lake: bool = False


KINDS = (
    Kind("city", CITY, Plan(0.9, (20000.0, 7000.0), 0.1)),
    Kind("village", FARMLAND, Plan(0.2, (30000.0, 8000.0), 0.3), (4.0, 16.0)),
    Kind("town", TOWN, Plan(0.45), (2.0, 18.0)),
    Kind("industry", INDUSTRY, Plan(0.7, (40000.0, 20000.0), 0.08), (0.5, 5.0)),
    Kind("campus", UNIVERSITY, Plan(0.5, (40000.0, 14000.0), 0.16)),
    Kind("lake", TOWN, Plan(0.35, (35000.0, 8000.0), 0.2), (6.0, 16.0), has_lake=True),
    Kind("city", CITY, Plan(0.6, (30000.0, 5000.0), 0.35), (2.0, 16.0)),
    Kind("wood", WOODLAND, Plan(0.25, (25000.0, 9000.0), 0.3), (8.0, 20.0)),
    Kind("suburb", TOWN, Plan(0.9, (25000.0, 9000.0), 0.05)),
    Kind("farmland", FARMLAND, Plan(0.12, (24000.0, 9000.0), 0.15), (2.0, 20.0)),
)
"""In the order in which the worlds of a set take them. Half of them are built-up: most flights are over such ground,
and there parallax matters most."""
