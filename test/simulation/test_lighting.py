"""Sunlight and shadows against hand-computed lengths."""

import math

import numpy as np
import pytest

from mift_ros.simulation.lighting import Sun, illumination, shadow_height


def wall(height_m: float) -> np.ndarray:
    """A slab 4 m wide from west to east across flat ground, 0.5 m per pixel, in rows 100 to 107."""
    ground = np.zeros((200, 60), np.float32)
    ground[100:108] = height_m
    return ground


def test_flat_ground_gets_all_the_light_there_is():
    sun = Sun(120.0, 40.0)
    assert illumination(np.zeros((40, 40), np.float32), 0.5, sun) == pytest.approx(sun.ambient + sun.direct)


def test_shadow_is_as_long_as_height_over_tangent_and_falls_away_from_the_sun():
    sun = Sun(azimuth_deg=180.0, elevation_deg=45.0)
    in_shadow = illumination(wall(10.0), 0.5, sun)[:, 30] < sun.ambient + 0.01
    assert in_shadow[82:99].all()  # 10 m north of the wall is 20 rows up; the last metre is penumbra
    assert not in_shadow[:78].any()
    assert not in_shadow[109:].any()


@pytest.mark.parametrize("elevation_deg", [25.0, 40.0, 60.0])
def test_shadow_height_falls_with_distance(elevation_deg):
    top = shadow_height(wall(12.0), 0.5, Sun(180.0, elevation_deg))
    for rows in (2, 8, 15):
        fall = 0.5 * math.tan(math.radians(elevation_deg))
        assert top[100 - rows, 30] == pytest.approx(max(12.0 - rows * fall, -fall), abs=0.01)


def test_slope_towards_the_sun_is_brighter():
    east, _ = np.meshgrid(np.arange(50, dtype=np.float32), np.arange(50))
    rising_east = 0.1 * east
    from_west, from_east = (illumination(rising_east, 0.5, Sun(a, 45.0))[10:40, 10:40].mean() for a in (270.0, 90.0))
    assert from_west > Sun(0, 45).ambient + Sun(0, 45).direct > from_east
