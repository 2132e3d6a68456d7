"""From an image message to a published verdict: what runs while the node is active."""

from __future__ import annotations

import threading
import time
import traceback
from typing import Any

from rclpy.lifecycle import LifecycleNode

from mift_ros.conversion.frame import frame_from_image
from mift_ros.conversion.stamp import stamp_to_ns
from mift_ros.errors import GeometryError, ImageError
from mift_ros.localization.localizer import Localizer
from mift_ros.localization.telemetry import TelemetryBuffer
from mift_ros.localization.types import Reason, Rejection, Result
from mift_ros.nodes.config import NodeConfig
from mift_ros.nodes.health import Health
from mift_ros.nodes.inputs import COMPLAIN_EVERY_S, Inputs
from mift_ros.nodes.match_image import draw_match
from mift_ros.nodes.outputs import Outputs
from mift_ros.nodes.worker import NewestWorker


class Flight:
    """Subscribes on construction and answers every frame it has time for; `close` ends it."""

    def __init__(self, node: LifecycleNode, config: NodeConfig, localizer: Localizer, outputs: Outputs) -> None:
        self._log, self._localizer, self._outputs = node.get_logger(), localizer, outputs
        self.enabled = True
        """Whether frames are looked at; ~/enable changes it."""
        self._lost = threading.Event()
        self.health = Health(time.monotonic())
        self._worker: NewestWorker[Any] = NewestWorker(self._work, "localizer")
        how = localizer.config
        buffer = TelemetryBuffer(how.max_telemetry_age_s, how.height_along_body)
        try:
            self.inputs = Inputs(node, config, buffer, self.health, self._on_image)
        except BaseException:
            self._worker.close()
            raise

    def relocalize(self) -> None:
        """Forget where the vehicle was before the next frame."""
        self._lost.set()

    def close(self) -> None:
        """Stop listening, let the frame in work finish."""
        self.inputs.close()
        self._worker.close()

    def _on_image(self, msg: Any) -> None:
        if self.enabled and self._worker.put(msg):
            self.health.dropped()

    def _work(self, msg: Any) -> None:
        """One frame, on the worker thread; a fault of ours is told and the next frame gets its chance."""
        try:
            result = self._locate(msg)
            self.health.done(result)
            self._outputs.publish(result)
            self._show(result)
        except Exception:
            self.health.complain("localizer", traceback.format_exc(limit=-1).splitlines()[-1])
            self._log.error(f"frame lost to a fault\n{traceback.format_exc()}")

    def _locate(self, msg: Any) -> Result:
        if self._lost.is_set():
            self._lost.clear()
            self._localizer.reset()
        stamp_ns, started_s = stamp_to_ns(msg.header.stamp), time.perf_counter()
        try:
            frame = frame_from_image(msg, self.inputs.camera())
        except (GeometryError, ImageError) as error:
            reason = Reason.BAD_IMAGE if isinstance(error, ImageError) else Reason.NO_TELEMETRY
            self._log.warning(str(error), throttle_duration_sec=COMPLAIN_EVERY_S)
            return Rejection(stamp_ns, reason, str(error), latency_s=time.perf_counter() - started_s)
        return self._localizer.locate(frame, self.inputs.at(stamp_ns))

    def _show(self, result: Result) -> None:
        if not self._outputs.match_wanted():
            return
        picture = draw_match(self._localizer.cache, result)
        if picture is not None:
            self._outputs.publish_match(result.stamp_ns, picture)
