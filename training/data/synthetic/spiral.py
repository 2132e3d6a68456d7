"""The flight around a building: a spiral of three rounds that comes down while the camera keeps looking at it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mift_ros.geometry.frames import rotation_from_rpy, yaw_from_heading

Vector = npt.NDArray[np.float64]

HIGHEST_M, LOWEST_M = 256.0, 121.5
"""Above the ground at the building (section 4.1.1)."""
RADIUS_M = 121.5
"""Distance over ground: the camera looks down at 25 degrees off the vertical first and at 45 degrees last."""
ROUNDS = 3
FIELD_OF_VIEW_DEG = 27.0


class Viewpoint(NamedTuple):
    """Where the drone is seen from its building: bearing clockwise from north, height above ground."""

    bearing_deg: float
    height_agl_m: float

    @property
    def off_nadir_deg(self) -> float:
        """Angle between the view and the vertical."""
        return math.degrees(math.atan2(RADIUS_M, self.height_agl_m))


def spiral(views: int, start_deg: float) -> list[Viewpoint]:
    """Viewpoints in order: the first at the top, the last at the bottom, evenly spread over the rounds."""
    heights = np.linspace(HIGHEST_M, LOWEST_M, views)
    return [
        Viewpoint((start_deg + 360.0 * ROUNDS * view / views) % 360.0, float(height))
        for view, height in enumerate(heights)
    ]


def pose(viewpoint: Viewpoint, building_m: Vector, shake_deg: Vector) -> tuple[Vector, Vector]:
    """Position [3] of the drone and body to ENU rotation [3, 3] that looks at building_m [3] (east, north, ground).

    `shake_deg` [3] is added to roll, tilt and heading.
    """
    bearing = math.radians(viewpoint.bearing_deg)
    out = np.array([RADIUS_M * math.sin(bearing), RADIUS_M * math.cos(bearing), viewpoint.height_agl_m])
    roll, tilt, turn = np.radians(shake_deg)
    yaw = yaw_from_heading(viewpoint.bearing_deg + 180.0) + float(turn)
    return building_m + out, rotation_from_rpy(float(roll), float(tilt) - math.radians(viewpoint.off_nadir_deg), yaw)
