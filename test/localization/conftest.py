"""A small town, its map cache made with the shipped weights, and a camera over its other appearance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from mift_ros.cache.build import BuildOptions, build_cache
from mift_ros.cache.reader import MapCache
from mift_ros.geometry.camera import CameraModel
from mift_ros.geometry.frames import rotation_from_rpy, yaw_from_heading
from mift_ros.inference.embedder import Embedder
from mift_ros.inference.load import load_embedder
from mift_ros.localization.types import Frame, Telemetry
from mift_ros.maps.open import open_map
from mift_ros.simulation.camera import SceneCamera
from mift_ros.simulation.geotiff import write_world
from mift_ros.simulation.scene import Scene, load_scene
from mift_ros.simulation.world import make_town

CAMERA = CameraModel.from_fov(480, 360, 70.0)
HEIGHT_AGL_M = 100.0


@dataclass(frozen=True)
class Town:
    """The cache, the model it was built with, and the ground that the camera sees."""

    cache: MapCache
    embedder: Embedder
    scene: Scene
    camera: SceneCamera

    def shoot(
        self,
        east_m: float,
        north_m: float,
        heading_deg: float,
        roll: float = 0.0,
        pitch: float = 0.0,
        stamp_s: float = 1.0,
    ) -> tuple[Frame, Telemetry]:
        """An exposure HEIGHT_AGL_M over the ground at a point of the map frame, with exact telemetry."""
        here = self.scene.frame.to_local(*self.cache.frame.to_geodetic((east_m, north_m)))
        terrain = self.scene.terrain
        ground = terrain.sample(np.array([[here[0]]]), np.array([[here[1]]])).item()
        rotation = rotation_from_rpy(roll, pitch, yaw_from_heading(heading_deg))
        image = self.camera.render(np.array([here[0], here[1], ground + HEIGHT_AGL_M]), rotation)
        known = Telemetry(roll, pitch, heading_deg, HEIGHT_AGL_M, ground + HEIGHT_AGL_M)
        return Frame(int(stamp_s * 1e9), image, CAMERA), known


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    folder: Path = tmp_path_factory.mktemp("town")
    files = write_world(make_town(seed=3, size_m=420.0, gsd_m=0.5), folder)
    embedder = load_embedder("mift_nano")
    source = open_map(files.map)
    build_cache(source, embedder, folder / "town.cache", BuildOptions(stride_m=24.0))
    source.close()
    scene = load_scene(files.look, files.heights, 0.3)
    cache = MapCache.open(folder / "town.cache", embedder.identity)
    return Town(cache, embedder, scene, SceneCamera(scene, CAMERA))


@pytest.fixture(scope="session")
def elsewhere(town: Town, tmp_path_factory: pytest.TempPathFactory) -> Town:
    """The same cache, but the camera is over another town."""
    files = write_world(make_town(seed=11, size_m=420.0, gsd_m=0.5), tmp_path_factory.mktemp("elsewhere"))
    scene = load_scene(files.look, files.heights, 0.3)
    return Town(town.cache, town.embedder, scene, SceneCamera(scene, CAMERA))


@pytest.fixture
def unknown() -> Callable[..., Telemetry]:
    """Telemetry with the named fields made unknown."""
    return lambda telemetry, *names: replace(telemetry, **dict.fromkeys(names, float("nan")))
