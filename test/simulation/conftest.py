"""Scenes made by hand, as fixtures that are functions."""

import numpy as np
import pytest

from mift_ros.geometry.frames import LocalFrame
from mift_ros.simulation.scene import Raster, Scene


def _scene_of(surface_m: np.ndarray, terrain_m: np.ndarray, gsd_m: float = 1.0) -> Scene:
    """Heights [S, S] centred on the origin; the colour of a place tells its row and column."""
    half = len(surface_m) * gsd_m / 2
    rows, cols = np.indices(surface_m.shape)
    look = np.stack([rows % 256, cols % 256, (rows // 256) * 16 + cols // 256], axis=-1).astype(np.uint8)
    rasters = (Raster(p, -half, half, gsd_m) for p in (look, surface_m.astype("f4"), terrain_m.astype("f4")))
    return Scene(LocalFrame(45.0, 7.0), *rasters)


def _flat(side: int = 400, height_m: float = 0.0) -> Scene:
    """Level ground."""
    level = np.full((side, side), height_m)
    return _scene_of(level, level)


def _hills(side: int = 600, amplitude_m: float = 15.0) -> Scene:
    """Smooth hills 200 m apart."""
    north, east = np.indices((side, side)) * 2 * np.pi / 200.0
    height = amplitude_m * np.sin(north) * np.cos(east)
    return _scene_of(height, height)


@pytest.fixture(scope="session")
def scene_of():
    return _scene_of


@pytest.fixture(scope="session")
def flat():
    return _flat


@pytest.fixture(scope="session")
def hills():
    return _hills
