"""Publishers: a fix goes out on three topics, the verdict on every frame on ~/status, its picture on demand."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geographic_msgs.msg import GeoPoseWithCovarianceStamped
from geometry_msgs.msg import PoseWithCovarianceStamped, Quaternion
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image, NavSatFix
from std_msgs.msg import Header

from mift_ros.conversion.outputs import STATUS_FIX, Status, pose_covariance, position_covariance, status_of
from mift_ros.conversion.stamp import ns_to_stamp
from mift_ros.localization.types import Fix, Result
from mift_ros.nodes.config import NodeConfig
from mift_ros.nodes.qos import qos_overrides

DEPTH = 10
GEO_FRAME = "wgs84"
"""frame_id of ~/geopose: latitude and longitude need no frame, its orientation is in the local ENU axes."""


class Outputs:
    """Lifecycle publishers: silent unless the node is active.

    Raises:
        ConfigError: a QoS override is refused; then nothing is left open.
    """

    def __init__(self, node: LifecycleNode, config: NodeConfig, hardware_id: str) -> None:
        self._node, self._config, self._hardware_id = node, config, hardware_id
        self._publishers: list[Any] = []
        try:
            self._geopose = self._publisher(GeoPoseWithCovarianceStamped, "~/geopose")
            self._fix = self._publisher(NavSatFix, "~/fix")
            self._pose = self._publisher(PoseWithCovarianceStamped, "~/pose")
            self._status = self._publisher(DiagnosticArray, "~/status")
            self._match = self._publisher(Image, "~/match")
        except BaseException:
            self.close()
            raise

    def publish(self, result: Result) -> None:
        """The verdict on one frame, stamped with its exposure; positions only if it is a fix."""
        if isinstance(result, Fix):
            self._geopose.publish(self._geopose_of(result))
            self._fix.publish(self._navsat_of(result))
            self._pose.publish(self._pose_of(result))
        header = _header(result.stamp_ns, "")
        self._status.publish(diagnostics(self._node, status_of(result), "frame", header, self._hardware_id))

    def match_wanted(self) -> bool:
        """Whether anybody looks at ~/match."""
        return bool(self._match.get_subscription_count() > 0)

    def publish_match(self, stamp_ns: int, picture: npt.NDArray[np.uint8]) -> None:
        """Publish RGB [H, W, 3]."""
        height, width = picture.shape[:2]
        msg = Image(header=_header(stamp_ns, ""), height=height, width=width, encoding="rgb8", step=3 * width)
        msg.data.frombytes(picture.tobytes())
        self._match.publish(msg)

    def close(self) -> None:
        """Destroy the publishers."""
        while self._publishers:
            self._node.destroy_lifecycle_publisher(self._publishers.pop())

    def _publisher(self, kind: Any, topic: str) -> Any:
        qos = QoSProfile(depth=DEPTH)
        with qos_overrides(self._node, topic) as overrides:
            made = self._node.create_lifecycle_publisher(kind, topic, qos, qos_overriding_options=overrides)
        self._publishers.append(made)
        return made

    def _geopose_of(self, fix: Fix) -> GeoPoseWithCovarianceStamped:
        msg = GeoPoseWithCovarianceStamped(header=_header(fix.stamp_ns, GEO_FRAME))
        _set_place(msg.pose.pose.position, fix)
        msg.pose.pose.orientation = _quaternion(fix)
        msg.pose.covariance = pose_covariance(fix)
        return msg

    def _navsat_of(self, fix: Fix) -> NavSatFix:
        msg = NavSatFix(header=_header(fix.stamp_ns, self._config.base_frame))
        _set_place(msg, fix)
        msg.status.status = STATUS_FIX
        msg.position_covariance, msg.position_covariance_type = position_covariance(fix)
        return msg

    def _pose_of(self, fix: Fix) -> PoseWithCovarianceStamped:
        msg = PoseWithCovarianceStamped(header=_header(fix.stamp_ns, self._config.map_frame))
        position = msg.pose.pose.position
        position.x, position.y = fix.position_m
        position.z = fix.altitude_ellipsoid_m
        msg.pose.pose.orientation = _quaternion(fix)
        msg.pose.covariance = pose_covariance(fix)
        return msg


def _set_place(target: Any, fix: Fix) -> None:
    target.latitude, target.longitude, target.altitude = fix.lat_deg, fix.lon_deg, fix.altitude_ellipsoid_m


def _quaternion(fix: Fix) -> Quaternion:
    x, y, z, w = fix.orientation_enu
    return Quaternion(x=x, y=y, z=z, w=w)


def _header(stamp_ns: int, frame_id: str) -> Header:
    header = Header(frame_id=frame_id)
    header.stamp.sec, header.stamp.nanosec = ns_to_stamp(stamp_ns)
    return header


def diagnostics(node: LifecycleNode, status: Status, name: str, header: Header, hardware_id: str) -> DiagnosticArray:
    """What a node tells of itself, as the message that carries it; the model's name is the `hardware_id`."""
    entry = DiagnosticStatus(
        level=bytes([status.level]),
        name=f"{node.get_fully_qualified_name()[1:]}: {name}",
        message=status.message,
        hardware_id=hardware_id,
        values=[KeyValue(key=key, value=value) for key, value in status.values.items()],
    )
    return DiagnosticArray(header=header, status=[entry])
