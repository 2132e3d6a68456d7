"""What the camera of the node's tests sees."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mift_ros.geometry.camera import CameraModel
from mift_ros.geometry.frames import rotation_from_rpy, yaw_from_heading
from mift_ros.simulation.camera import SceneCamera
from mift_ros.simulation.scene import Scene

CAMERA = CameraModel.from_fov(400, 300, 70.0)
HEIGHT_AGL_M = 100.0


@dataclass(frozen=True)
class Town:
    """The ground that the map shows, with its cache and the model that the cache was built with."""

    map_path: Path
    cache: Path
    model: Path
    scene: Scene

    def place(self, east_m: float, north_m: float) -> tuple[float, float]:
        """Latitude and longitude of a point in metres from the middle of the map."""
        lat, lon = self.scene.frame.to_geodetic((east_m, north_m))
        return float(lat), float(lon)


def look_down(scene: Scene, east_m: float, north_m: float, heading_deg: float) -> np.ndarray:
    """RGB image of a level camera HEIGHT_AGL_M above a point."""
    ground = scene.terrain.sample(np.array([[east_m]]), np.array([[north_m]])).item()
    position = np.array([east_m, north_m, ground + HEIGHT_AGL_M])
    return SceneCamera(scene, CAMERA).render(position, rotation_from_rpy(0, 0, yaw_from_heading(heading_deg)))
