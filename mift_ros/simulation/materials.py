"""The colours of the town in its two seasons: as the satellite saw it, as the drone sees it."""

from __future__ import annotations

import numpy as np

from mift_ros.simulation.canvas import Kind, Material, Rgb

Pair = tuple[Rgb, Rgb]

GRASS: Pair = ((94, 118, 62), (124, 122, 74))
LAWN: Pair = ((100, 130, 66), (112, 124, 70))
MEADOW: Pair = ((124, 134, 82), (150, 138, 92))
ASPHALT: Pair = ((96, 96, 99), (112, 110, 107))
STREET: Pair = ((124, 122, 119), (132, 129, 124))
TRACK: Pair = ((172, 150, 114), (164, 148, 122))
PAVEMENT: Pair = ((168, 164, 156), (160, 157, 150))
CONCRETE: Pair = ((186, 182, 172), (176, 172, 164))
MARKING: Pair = ((226, 226, 220), (214, 214, 210))
WATER: Pair = ((50, 72, 78), (72, 90, 80))
BANK: Pair = ((104, 110, 66), (122, 116, 76))
POOL: Pair = ((70, 168, 188), (84, 156, 172))
PITCH: Pair = ((84, 138, 62), (96, 132, 66))
CLAY: Pair = ((176, 98, 68), (168, 102, 76))
BALLAST: Pair = ((126, 116, 106), (130, 122, 114))

CROPS: tuple[Pair, ...] = (
    ((108, 136, 60), (188, 166, 106)),
    ((144, 114, 82), (112, 94, 68)),
    ((64, 98, 46), (150, 134, 88)),
    ((176, 166, 72), (104, 112, 64)),
    ((150, 150, 94), (132, 144, 80)),
    ((122, 98, 74), (98, 124, 68)),
    ((132, 148, 76), (140, 146, 84)),
    ((188, 168, 122), (126, 108, 80)),
)
HOUSE_ROOFS: tuple[Pair, ...] = tuple(
    (colour, colour)
    for colour in (
        (160, 86, 64), (148, 74, 58), (112, 82, 66), (84, 88, 96), (140, 138, 134), (178, 162, 136), (66, 64, 64),
    )
)  # fmt: skip
HALL_ROOFS: tuple[Pair, ...] = tuple(
    (colour, colour)
    for colour in (
        (218, 216, 210), (172, 172, 170), (150, 146, 136), (98, 128, 158), (106, 132, 112), (152, 106, 86),
        (200, 190, 172),
    )
)  # fmt: skip
CROWNS: tuple[Pair, ...] = (
    ((50, 80, 40), (72, 86, 44)),
    ((60, 88, 44), (126, 100, 46)),
    ((44, 70, 40), (52, 74, 44)),
    ((72, 98, 52), (104, 104, 52)),
    ((56, 84, 46), (138, 92, 44)),
)
CARS: tuple[Rgb, ...] = ((225, 225, 222), (40, 40, 44), (150, 152, 156), (146, 30, 32), (40, 62, 120), (196, 190, 170))


def pick(rng: np.random.Generator, choices: tuple[Pair, ...]) -> Pair:
    """One of several pairs of colours."""
    return choices[int(rng.integers(len(choices)))]


def varied(rng: np.random.Generator, kind: Kind, pair: Pair, spread: float = 8.0, grain: float = 6.0) -> Material:
    """A material near a pair of colours: brightness and tint drawn once for both looks, a little for each."""
    common = rng.normal(0, spread) + rng.normal(0, spread / 3, 3)
    looks = [np.clip(np.array(rgb) + common + rng.normal(0, spread / 4, 3), 0, 255) for rgb in pair]
    first, second = ((float(c[0]), float(c[1]), float(c[2])) for c in looks)
    return Material(kind, first, second, grain)
