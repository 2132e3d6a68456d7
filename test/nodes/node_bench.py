"""The other side of the node: a camera, an autopilot and a lifecycle manager, in the process of the test."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geographic_msgs.msg import GeoPoseWithCovarianceStamped
from geometry_msgs.msg import PoseWithCovarianceStamped
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image, Imu, NavSatFix, Range
from std_msgs.msg import Header

from mift_ros.conversion.stamp import ns_to_stamp, stamp_to_ns
from mift_ros.geometry.camera import CameraModel
from mift_ros.geometry.frames import quaternion_from_rpy, yaw_from_heading

WITHIN_S = 60.0
BETWEEN_EXPOSURES_S = 0.25
START_NS = 1_717_236_000_123_456_789


class Bench:
    """Publishes exposures with telemetry, keeps what the localizer answers by the stamp of the exposure."""

    def __init__(self, camera: CameraModel, name: str) -> None:
        self.node = rclpy.create_node("bench")
        self.name = name
        self.answers: dict[str, dict[int, Any]] = {"geopose": {}, "fix": {}, "pose": {}, "status": {}}
        self.diagnostics: list[Any] = []
        self._camera, self._stamp_ns = camera, START_NS
        kinds = (GeoPoseWithCovarianceStamped, NavSatFix, PoseWithCovarianceStamped, DiagnosticArray)
        for topic, kind in zip(self.answers, kinds):
            self.node.create_subscription(kind, f"/{self.name}/{topic}", self._keeper(topic), 10)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self.diagnostics.append, 10)
        inputs = {"image": Image, "camera_info": CameraInfo, "imu": Imu, "height_agl": Range}
        self.inputs = {
            name: self.node.create_publisher(kind, name, qos_profile_sensor_data) for name, kind in inputs.items()
        }

    def __enter__(self) -> Bench:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.node.destroy_node()

    def spin_until(self, condition: Callable[[], Any], what: str) -> None:
        """Take in messages until the condition holds."""
        deadline = time.monotonic() + WITHIN_S
        while not condition():
            assert time.monotonic() < deadline, f"waited {WITHIN_S:g} s for {what}"
            rclpy.spin_once(self.node, timeout_sec=0.02)

    def call(self, kind: Any, name: str, request: Any) -> Any:
        """Call a service of the localizer."""
        client = self.node.create_client(kind, f"/{self.name}/{name}")
        self.spin_until(client.service_is_ready, f"service {name}")
        future = client.call_async(request)
        self.spin_until(future.done, f"an answer of {name}")
        self.node.destroy_client(client)
        return future.result()

    def change(self, transition: int) -> bool:
        """Ask for a lifecycle transition."""
        request = ChangeState.Request(transition=Transition(id=transition))
        return bool(self.call(ChangeState, "change_state", request).success)

    def state(self) -> str:
        return str(self.call(GetState, "get_state", GetState.Request()).current_state.label)

    def bring_up(self) -> None:
        """Configure, activate, and wait until the inputs are matched."""
        assert self.change(Transition.TRANSITION_CONFIGURE)
        assert self.change(Transition.TRANSITION_ACTIVATE)
        self.spin_until(lambda: all(p.get_subscription_count() for p in self.inputs.values()), "subscriptions")

    def verdict(self, image: np.ndarray, heading_deg: float, height_agl_m: float, **changes: Any) -> tuple[int, dict]:
        """Expose until a frame is answered for its picture; its stamp and the values of its ~/status.

        The first exposures may come before their camera_info and telemetry, as on a vehicle.
        """
        deadline = time.monotonic() + WITHIN_S
        exposed: list[int] = []
        while time.monotonic() < deadline:
            exposed.append(self._expose(image, heading_deg, height_agl_m, changes))
            pause = time.monotonic() + BETWEEN_EXPOSURES_S
            while time.monotonic() < pause:
                rclpy.spin_once(self.node, timeout_sec=0.02)
            for stamp_ns in exposed:
                values = self.values(stamp_ns)
                if values and values["state"] != "no-telemetry":
                    return stamp_ns, values
        raise AssertionError(f"no verdict within {WITHIN_S:g} s")

    def values(self, stamp_ns: int) -> dict[str, str]:
        """Values of the ~/status of an exposure, empty if none came."""
        status = self.answers["status"].get(stamp_ns)
        return {entry.key: entry.value for entry in status.status[0].values} if status else {}

    def _expose(self, image: np.ndarray, heading_deg: float, height_agl_m: float, changes: dict[str, Any]) -> int:
        self._stamp_ns += 250_000_000
        header = Header(frame_id="camera")
        header.stamp.sec, header.stamp.nanosec = ns_to_stamp(self._stamp_ns)
        c = self._camera
        k = [c.fx, 0.0, c.cx, 0.0, c.fy, c.cy, 0.0, 0.0, 1.0]
        info = CameraInfo(header=header, width=c.width, height=c.height, distortion_model="plumb_bob", k=k)
        imu = Imu(header=header)
        q = imu.orientation
        q.x, q.y, q.z, q.w = quaternion_from_rpy(0.0, 0.0, yaw_from_heading(heading_deg))
        self.inputs["camera_info"].publish(info)
        self.inputs["imu"].publish(imu)
        self.inputs["height_agl"].publish(Range(header=header, range=height_agl_m))
        rows, columns = image.shape[:2]
        fields = {"height": rows, "width": columns, "encoding": "rgb8", "step": 3 * columns, **changes}
        msg = Image(header=header, **fields)
        msg.data.frombytes(image.tobytes())
        self.inputs["image"].publish(msg)
        return self._stamp_ns

    def _keeper(self, name: str) -> Callable[[Any], None]:
        return lambda msg: self.answers[name].__setitem__(stamp_to_ns(msg.header.stamp), msg)
