"""WGS 84 <-> a local metric frame, and the angle conventions of REP-103 and of aviation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from pyproj import CRS, Transformer

from mift_ros.errors import GeometryError

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LocalFrame:
    """East/north metres of a transverse Mercator projection of WGS 84 with scale 1 at (origin_lat_deg, origin_lon_deg).

    It equals the tangent ENU plane at the origin to 1 mm over 1 km and to 1 m over 10 km, has no scale factor as
    UTM has (0.9996), and its grid north is true north on the central meridian.
    """

    origin_lat_deg: float
    origin_lon_deg: float

    def __post_init__(self) -> None:
        if not (abs(self.origin_lat_deg) <= 89.0 and abs(self.origin_lon_deg) <= 180.0):
            raise GeometryError(f"no local frame at latitude {self.origin_lat_deg}, longitude {self.origin_lon_deg}")

    @cached_property
    def crs(self) -> CRS:
        """The projected CRS, units metres."""
        return CRS.from_proj4(
            f"+proj=tmerc +lat_0={float(self.origin_lat_deg)!r} +lon_0={float(self.origin_lon_deg)!r} +k=1 "
            "+x_0=0 +y_0=0 +datum=WGS84 +units=m +no_defs"
        )

    @cached_property
    def _from_geodetic(self) -> Transformer:
        return Transformer.from_crs(CRS.from_epsg(4326), self.crs, always_xy=True)

    def to_local(self, lat_deg: npt.ArrayLike, lon_deg: npt.ArrayLike) -> Vector:
        """WGS 84 degrees (scalars or [N]) to east/north metres [..., 2]."""
        east, north = self._from_geodetic.transform(np.asarray(lon_deg, float), np.asarray(lat_deg, float))
        return np.stack([east, north], axis=-1)

    def to_geodetic(self, east_north_m: npt.ArrayLike) -> Vector:
        """East/north metres [..., 2] to WGS 84 latitude/longitude degrees [..., 2]."""
        points = np.asarray(east_north_m, float)
        lon, lat = self._from_geodetic.transform(points[..., 0], points[..., 1], direction="INVERSE")
        return np.stack([lat, lon], axis=-1)

    def true_heading_deg(self, heading_deg: float, lat_deg: float, lon_deg: float) -> float:
        """A heading from this frame's north, which is that of its central meridian, from true north at a place.

        Degrees clockwise, [0, 360). Off that meridian the two norths meet at an angle (the convergence), given here to
        1e-4 degrees over 30 km.
        """
        return (heading_deg + wrap_deg(lon_deg - self.origin_lon_deg) * math.sin(math.radians(lat_deg))) % 360.0


def wrap_deg(angle_deg: float) -> float:
    """Wrap to [-180, 180)."""
    return (angle_deg + 180.0) % 360.0 - 180.0


def heading_from_yaw(yaw_enu_rad: float) -> float:
    """Yaw (counter-clockwise from east) to heading (clockwise from north), degrees in [0, 360)."""
    return (90.0 - math.degrees(yaw_enu_rad)) % 360.0


def yaw_from_heading(heading_deg: float) -> float:
    """Heading (clockwise from north, degrees) to yaw (counter-clockwise from east, radians in [-pi, pi))."""
    return math.radians(wrap_deg(90.0 - heading_deg))


def rotation_from_rpy(roll_rad: float, pitch_rad: float, yaw_enu_rad: float) -> Vector:
    """Body (FLU) to ENU rotation [3, 3], R = Rz(yaw) Ry(pitch) Rx(roll) as in REP-103; pitch is positive nose down."""
    cr, sr = math.cos(roll_rad), math.sin(roll_rad)
    cp, sp = math.cos(pitch_rad), math.sin(pitch_rad)
    cy, sy = math.cos(yaw_enu_rad), math.sin(yaw_enu_rad)
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )


def quaternion_from_rpy(roll_rad: float, pitch_rad: float, yaw_enu_rad: float) -> tuple[float, float, float, float]:
    """Quaternion (x, y, z, w) of the same rotation as rotation_from_rpy."""
    cr, sr = math.cos(roll_rad / 2), math.sin(roll_rad / 2)
    cp, sp = math.cos(pitch_rad / 2), math.sin(pitch_rad / 2)
    cy, sy = math.cos(yaw_enu_rad / 2), math.sin(yaw_enu_rad / 2)
    return (
        sr * cp * cy - cr * sp * sy,
        cr * sp * cy + sr * cp * sy,
        cr * cp * sy - sr * sp * cy,
        cr * cp * cy + sr * sp * sy,
    )


def rpy_from_quaternion(x: float, y: float, z: float, w: float) -> tuple[float, float, float]:
    """Roll, pitch, yaw_enu (radians) of a body (FLU) to ENU quaternion of any positive norm.

    Raises:
        GeometryError: a component is NaN or infinite, or the norm is zero.
    """
    norm = math.sqrt(x * x + y * y + z * z + w * w)
    if not math.isfinite(norm) or norm < 1e-6:
        raise GeometryError(f"attitude quaternion ({x}, {y}, {z}, {w}) is not a rotation")
    x, y, z, w = x / norm, y / norm, z / norm, w / norm
    roll = math.atan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y))
    pitch = math.asin(max(-1.0, min(1.0, 2 * (w * y - z * x))))
    yaw = math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    return roll, pitch, yaw
