"""The two views of a place: one as a map would show it, one as a rectified camera image would."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from training.data.orthophotos import clutter, colour, sensor
from training.data.orthophotos.imagery import Imagery
from training.data.orthophotos.places import Ground, Place
from training.data.orthophotos.warp import Distortion, relief, render
from training.recipes.data_schema import AppearanceSpec, Changes, GeometrySpec

Floats = npt.NDArray[np.float32]
Change = Callable[[Floats, np.random.Generator, float], Floats]

RANDOM_GREY_SHARE = 0.3
BLUR_SHARE = 0.5
"""Of the views whose saturation or focus changes: how many become grey, how many blurred rather than sharpened."""


def both_views(
    ground: Ground, place: Place, changes: Changes, size: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """The place as a map tile and as seen from a drone."""
    sides = ground.sides(place)
    satellite = map_view(sides.map, sides.place, changes.map, size, rng)
    return satellite, drone_view(sides.drone, sides.place, changes.geometry, changes.drone, size, rng)


def map_view(
    image: Imagery, place: Place, appearance: AppearanceSpec, size: int, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """The place as a map tile, exactly framed: RGB uint8 [size, size, 3]."""
    return dress(render(image, place, Distortion(), size), appearance, rng)


def drone_view(
    image: Imagery,
    place: Place,
    geometry: GeometrySpec,
    appearance: AppearanceSpec,
    size: int,
    rng: np.random.Generator,
) -> npt.NDArray[np.uint8]:
    """The place as seen from a drone, shifted, turned, scaled and tilted within the geometry's limits."""
    return dress(render(image, place, random_distortion(geometry, size, rng), size), appearance, rng)


def random_distortion(geometry: GeometrySpec, size: int, rng: np.random.Generator) -> Distortion:
    """Framing error of a rectified camera image against its map tile."""
    shift_x, shift_y = rng.uniform(-geometry.shift, geometry.shift, 2)
    tilt_x, tilt_y = rng.uniform(-geometry.tilt, geometry.tilt, 2)
    return Distortion(
        shift=(float(shift_x), float(shift_y)),
        turn_rad=float(np.radians(rng.uniform(-geometry.turn_deg, geometry.turn_deg))),
        scale=float((1.0 + geometry.scale) ** rng.uniform(-1.0, 1.0)),
        tilt=(float(tilt_x), float(tilt_y)),
        relief_px=relief(rng, size, float(rng.uniform(0.0, geometry.relief_px))),
    )


def dress(image: npt.NDArray[np.uint8], appearance: AppearanceSpec, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Give a view another source's light, colours, clutter and sensor."""
    strength = appearance.strength
    if rng.random() < appearance.tone:
        image = colour.tone_curves(image, rng, strength)
    pixels = image.astype(np.float32) * np.float32(1.0 / 255.0)
    for change, probability in _changes(appearance):
        if rng.random() < probability:
            pixels = change(pixels, rng, strength)
    view = (np.clip(pixels, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    return sensor.jpeg(view, rng) if rng.random() < appearance.jpeg else view


def _changes(appearance: AppearanceSpec) -> tuple[tuple[Change, float], ...]:
    """Changes and their probabilities in the order of nature: ground, light, things above it, lens, sensor."""
    return (
        (colour.season, appearance.season),
        (clutter.cars, appearance.cars),
        (clutter.blocks, appearance.blocks),
        (colour.sun_relief, appearance.sun_relief),
        (clutter.shadows, appearance.shadows),
        (colour.reweight_bands, appearance.bands),
        (colour.colour_field, appearance.colour_field),
        (colour.mix_channels, appearance.mix),
        (_desaturate, appearance.saturation),
        (colour.auto_exposure, appearance.exposure),
        (clutter.haze, appearance.haze),
        (sensor.coarser, appearance.coarser),
        (_focus, appearance.focus),
        (sensor.noise, appearance.noise),
        (clutter.black_corner, appearance.black_corner),
    )


def _desaturate(image: Floats, rng: np.random.Generator, strength: float) -> Floats:
    if rng.random() < RANDOM_GREY_SHARE * strength:
        return colour.random_grey(image, rng)
    return colour.saturation(image, rng, strength)


def _focus(image: Floats, rng: np.random.Generator, strength: float) -> Floats:
    return sensor.blur(image, rng, strength) if rng.random() < BLUR_SHARE else sensor.sharpen(image, rng, strength)
