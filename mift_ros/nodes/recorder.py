"""Executable: print what the localizer says, one line of JSON per frame, as it comes over DDS.

python -m mift_ros.nodes.recorder [--node /localizer]

The first line is {"ready": true}, once the localizer's publishers are there. A fix is printed when both its ~/geopose
and its ~/status have come: position and covariance are of the pose message, the quality is of the status message.
"""

from __future__ import annotations

import argparse
import json
import math
from typing import TYPE_CHECKING, Any

from mift_ros.conversion.stamp import stamp_to_ns
from mift_ros.geometry.frames import heading_from_yaw, rpy_from_quaternion
from mift_ros.nodes.spin import run

if TYPE_CHECKING:
    from rclpy.node import Node

DEPTH = 50
READY_CHECK_S = 0.1


class Joiner:
    """Puts pose and status of one exposure together, whichever comes first."""

    def __init__(self) -> None:
        self._poses: dict[int, dict[str, Any]] = {}
        self._fixes: dict[int, dict[str, Any]] = {}

    def pose(self, msg: Any) -> dict[str, Any] | None:
        """Take a GeoPoseWithCovarianceStamped; the whole record if its status has come."""
        stamp_ns = stamp_to_ns(msg.header.stamp)
        place, q = msg.pose.pose.position, msg.pose.pose.orientation
        known = all(math.isfinite(v) for v in (q.x, q.y, q.z, q.w))
        self._poses[stamp_ns] = {
            "lat_deg": place.latitude,
            "lon_deg": place.longitude,
            "altitude_ellipsoid_m": place.altitude,
            "heading_deg": heading_from_yaw(rpy_from_quaternion(q.x, q.y, q.z, q.w)[2]) if known else math.nan,
            "covariance": [float(value) for value in msg.pose.covariance],
        }
        return self._join(stamp_ns)

    def status(self, msg: Any) -> dict[str, Any] | None:
        """Take a ~/status array; the whole record if it is a rejection or its pose has come."""
        stamp_ns = stamp_to_ns(msg.header.stamp)
        values = {entry.key: entry.value for entry in msg.status[0].values}
        if values["state"] != "fix":
            return {"stamp_ns": stamp_ns, **values}
        self._fixes[stamp_ns] = values
        return self._join(stamp_ns)

    def _join(self, stamp_ns: int) -> dict[str, Any] | None:
        if stamp_ns not in self._poses or stamp_ns not in self._fixes:
            return None
        status, pose = self._fixes.pop(stamp_ns), self._poses.pop(stamp_ns)
        return {"stamp_ns": stamp_ns, **status, **pose, "covariance_calibrated": status["covariance"] == "calibrated"}


def _say(record: dict[str, Any] | None) -> None:
    if record is not None:
        print(json.dumps(record), flush=True)


def make_recorder(localizer: str) -> Node:
    """A node that prints; `localizer` is the localizer's full name."""
    import rclpy
    from diagnostic_msgs.msg import DiagnosticArray
    from geographic_msgs.msg import GeoPoseWithCovarianceStamped

    node, joiner = rclpy.create_node("recorder"), Joiner()
    topics = (f"{localizer}/geopose", f"{localizer}/status")
    node.create_subscription(GeoPoseWithCovarianceStamped, topics[0], lambda m: _say(joiner.pose(m)), DEPTH)
    node.create_subscription(DiagnosticArray, topics[1], lambda m: _say(joiner.status(m)), DEPTH)

    def announce() -> None:
        if all(node.count_publishers(topic) for topic in topics):
            node.destroy_timer(timer)
            _say({"ready": True})

    timer = node.create_timer(READY_CHECK_S, announce)
    return node


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--node", default="/localizer")
    arguments = parser.parse_args()
    run(lambda: make_recorder(arguments.node))


if __name__ == "__main__":
    main()
