"""ROS messages of a flight, built with rosbags: no ROS needed."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from mift_ros.conversion.stamp import ns_to_stamp
from mift_ros.errors import SimulationError
from mift_ros.geometry.camera import CameraModel

Quaternion = tuple[float, float, float, float]
Image = npt.NDArray[np.uint8]

GEOGRAPHIC = {
    "geographic_msgs/msg/GeoPoint": "float64 latitude\nfloat64 longitude\nfloat64 altitude\n",
    "geographic_msgs/msg/GeoPose": "geographic_msgs/GeoPoint position\ngeometry_msgs/Quaternion orientation\n",
    "geographic_msgs/msg/GeoPoseStamped": "std_msgs/Header header\ngeographic_msgs/GeoPose pose\n",
}
"""Definitions that rosbags does not bring; the fields are those of the upstream package."""

YAW_UNKNOWN_RAD2 = 10.0
"""Above the 9 rad^2 from which on the yaw of an Imu is taken for unknown."""
CAMERA_FRAME, BODY_FRAME, ODOM_FRAME = "camera_optical", "base_link", "odom"
JPEG_QUALITY = 90


def flight_types() -> Typestore:
    """The message types of ROS 2 Jazzy and geographic_msgs."""
    types = get_typestore(Stores.ROS2_JAZZY)
    for name, text in GEOGRAPHIC.items():
        types.register(get_types_from_msg(text, name))
    return types


class Messages:
    """Builds messages of one typestore."""

    def __init__(self, types: Typestore) -> None:
        self._types = types.types

    def _make(self, name: str, *args: Any, **fields: Any) -> Any:
        return self._types[name](*args, **fields)

    def header(self, stamp_ns: int, frame_id: str) -> Any:
        """std_msgs/Header."""
        stamp = self._make("builtin_interfaces/msg/Time", *ns_to_stamp(stamp_ns))
        return self._make("std_msgs/msg/Header", stamp, frame_id)

    def image(self, stamp_ns: int, rgb: Image) -> Any:
        """sensor_msgs/Image, rgb8."""
        rows, cols = rgb.shape[:2]
        data = np.ascontiguousarray(rgb).reshape(-1)
        return self._make(
            "sensor_msgs/msg/Image", self.header(stamp_ns, CAMERA_FRAME), rows, cols, "rgb8", 0, 3 * cols, data
        )

    def jpeg(self, stamp_ns: int, rgb: Image) -> Any:
        """sensor_msgs/CompressedImage, jpeg."""
        good, data = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        if not good:
            raise SimulationError(f"an image of {rgb.shape} does not compress to JPEG")
        return self.compressed(stamp_ns, data.reshape(-1), "rgb8; jpeg compressed bgr8")

    def compressed(self, stamp_ns: int, data: npt.NDArray[np.uint8], kind: str) -> Any:
        """sensor_msgs/CompressedImage of bytes that are compressed already."""
        return self._make("sensor_msgs/msg/CompressedImage", self.header(stamp_ns, CAMERA_FRAME), kind, data)

    def camera_info(self, stamp_ns: int, camera: CameraModel) -> Any:
        """sensor_msgs/CameraInfo of an unrectified camera."""
        matrix = camera.matrix
        roi = self._make("sensor_msgs/msg/RegionOfInterest", 0, 0, 0, 0, False)
        return self._make(
            "sensor_msgs/msg/CameraInfo",
            header=self.header(stamp_ns, CAMERA_FRAME), height=camera.height, width=camera.width,
            distortion_model=camera.distortion_model, d=np.array(camera.distortion or (0.0,) * 5),
            k=matrix.reshape(-1), r=np.eye(3).reshape(-1), p=np.hstack([matrix, np.zeros((3, 1))]).reshape(-1),
            binning_x=0, binning_y=0, roi=roi,
        )  # fmt: skip

    def imu(self, stamp_ns: int, orientation: Quaternion, heading_known: bool) -> Any:
        """sensor_msgs/Imu with orientation (body to ENU) only; an unknown heading is told by its variance."""
        variance = math.radians(1.0) ** 2
        yaw = math.radians(3.0) ** 2 if heading_known else YAW_UNKNOWN_RAD2
        absent = np.array([-1.0] + [0.0] * 8)
        zero = self._make("geometry_msgs/msg/Vector3", 0.0, 0.0, 0.0)
        return self._make(
            "sensor_msgs/msg/Imu", self.header(stamp_ns, BODY_FRAME), self._quaternion(orientation),
            np.diag([variance, variance, yaw]).reshape(-1), zero, absent, zero, absent,
        )  # fmt: skip

    def height(self, stamp_ns: int, height_agl_m: float) -> Any:
        """sensor_msgs/Range looking down."""
        header = self.header(stamp_ns, BODY_FRAME)
        return self._make("sensor_msgs/msg/Range", header, 1, 0.05, 1.0, 2000.0, height_agl_m, 0.0)

    def odometry(self, stamp_ns: int, east_m: float, north_m: float) -> Any:
        """nav_msgs/Odometry whose axes are east and north; orientation and speed are not given."""
        unknown = np.full(36, 0.0)
        unknown[::7] = 1e6
        point = self._make("geometry_msgs/msg/Point", east_m, north_m, 0.0)
        pose = self._make("geometry_msgs/msg/Pose", point, self._quaternion((0.0, 0.0, 0.0, 1.0)))
        zero = self._make("geometry_msgs/msg/Vector3", 0.0, 0.0, 0.0)
        return self._make(
            "nav_msgs/msg/Odometry", self.header(stamp_ns, ODOM_FRAME), BODY_FRAME,
            self._make("geometry_msgs/msg/PoseWithCovariance", pose, unknown),
            self._make(
                "geometry_msgs/msg/TwistWithCovariance", self._make("geometry_msgs/msg/Twist", zero, zero), unknown
            ),
        )  # fmt: skip

    def geopose(self, stamp_ns: int, lat_deg: float, lon_deg: float, altitude_ellipsoid_m: float, q: Quaternion) -> Any:
        """geographic_msgs/GeoPoseStamped; NaN for what is unknown."""
        point = self._make("geographic_msgs/msg/GeoPoint", lat_deg, lon_deg, altitude_ellipsoid_m)
        pose = self._make("geographic_msgs/msg/GeoPose", point, self._quaternion(q))
        return self._make("geographic_msgs/msg/GeoPoseStamped", self.header(stamp_ns, "earth"), pose)

    def _quaternion(self, q: Quaternion) -> Any:
        return self._make("geometry_msgs/msg/Quaternion", *q)
