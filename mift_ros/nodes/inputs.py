"""Subscriptions: telemetry goes into the buffer, the newest image to the worker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from nav_msgs.msg import Odometry
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, Imu, NavSatFix, Range
from std_msgs.msg import Float64

from mift_ros.conversion import telemetry as feeds
from mift_ros.conversion.camera_info import camera_from_info
from mift_ros.errors import GeometryError
from mift_ros.geometry.camera import CameraModel
from mift_ros.localization.telemetry import TelemetryBuffer
from mift_ros.localization.types import Telemetry
from mift_ros.nodes.config import NodeConfig
from mift_ros.nodes.health import Health
from mift_ros.nodes.qos import qos_overrides

COMPLAIN_EVERY_S = 5.0
DEPTHS = {"image": 1, "image/compressed": 1, "camera_info": 1, "imu": 50, "height_agl": 10, "odometry": 20, "prior": 1}
"""Best effort matches every publisher; an image that waits is an old image, an IMU sample that waits still counts."""

Feed = Callable[[TelemetryBuffer, Any], "str | None"]


class Inputs:
    """Listens while it exists; `close` ends it. Callbacks run on the executor, `at` on the worker.

    Raises:
        ConfigError: a QoS override is refused; then nothing listens.
    """

    def __init__(
        self,
        node: LifecycleNode,
        config: NodeConfig,
        buffer: TelemetryBuffer,
        health: Health,
        on_image: Callable[[Any], None],
    ) -> None:
        self._node, self._config, self._health, self._on_image = node, config, health, on_image
        self._buffer = buffer
        self._lock = threading.Lock()
        self._camera: CameraModel | None = None
        self.image_topic = "image/compressed" if config.image_transport == "compressed" else "image"
        self._subscriptions: list[Any] = []
        try:
            self._subscribe()
        except BaseException:
            self.close()
            raise

    def at(self, stamp_ns: int) -> Telemetry:
        """What was known at the exposure."""
        with self._lock:
            return self._buffer.at(stamp_ns)

    def camera(self) -> CameraModel:
        """The camera of the last camera_info.

        Raises:
            GeometryError: none has come, or none that is calibrated.
        """
        if self._camera is None:
            raise GeometryError(f"no usable camera_info on {self._node.resolve_topic_name('camera_info')}")
        return self._camera

    def publishers(self) -> int:
        """How many publish the image topic."""
        return int(self._node.count_publishers(self._node.resolve_topic_name(self.image_topic)))

    def close(self) -> None:
        """Stop listening."""
        while self._subscriptions:
            self._node.destroy_subscription(self._subscriptions.pop())

    def _subscribe(self) -> None:
        image = CompressedImage if self._config.image_transport == "compressed" else Image
        height = (Range, feeds.feed_range) if self._config.height_message == "range" else (Float64, self._feed_float)
        telemetry: dict[str, tuple[Any, Feed]] = {
            "imu": (Imu, feeds.feed_imu),
            "height_agl": height,
            "odometry": (Odometry, feeds.feed_odometry),
            "prior": (NavSatFix, feeds.feed_prior),
        }
        self._listen(image, self.image_topic, self._take_image)
        self._listen(CameraInfo, "camera_info", self._take_camera_info)
        for name, (kind, feed) in telemetry.items():
            self._listen(kind, name, self._feeder(name, feed))

    def _listen(self, kind: Any, name: str, callback: Callable[[Any], None]) -> None:
        qos = QoSProfile(depth=DEPTHS[name], reliability=ReliabilityPolicy.BEST_EFFORT)
        with qos_overrides(self._node, name) as overrides:
            made = self._node.create_subscription(kind, name, callback, qos, qos_overriding_options=overrides)
        self._subscriptions.append(made)

    def _take_image(self, msg: Any) -> None:
        self._health.seen("image", time.monotonic())
        self._on_image(msg)

    def _take_camera_info(self, msg: Any) -> None:
        self._health.seen("camera_info", time.monotonic())
        try:
            self._camera = camera_from_info(msg, self._config.body_from_camera(), self._config.image_is_rectified)
        except GeometryError as error:
            self._complain("camera_info", str(error))

    def _feeder(self, name: str, feed: Feed) -> Callable[[Any], None]:
        def callback(msg: Any) -> None:
            self._health.seen(name, time.monotonic())
            try:
                with self._lock:
                    why = feed(self._buffer, msg)
            except GeometryError as error:
                why = str(error)
            if why:
                self._complain(name, why)

        return callback

    def _feed_float(self, buffer: TelemetryBuffer, msg: Any) -> str | None:
        return feeds.feed_float_height(buffer, msg, self._node.get_clock().now().nanoseconds)

    def _complain(self, name: str, why: str) -> None:
        self._health.complain(name, why)
        self._node.get_logger().warning(f"{name}: {why}", throttle_duration_sec=COMPLAIN_EVERY_S)
