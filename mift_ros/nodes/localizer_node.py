"""The lifecycle node: load on configure, listen on activate, release on cleanup; the work is in flight.py."""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from std_msgs.msg import Header
from std_srvs.srv import SetBool, Trigger

from mift_ros.cache.reader import MapCache
from mift_ros.conversion.outputs import ERROR, WARN, Status
from mift_ros.errors import ConfigError
from mift_ros.inference.embedder import Embedder
from mift_ros.inference.load import describe, load_embedder, release
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.localizer import Localizer
from mift_ros.nodes.config import NodeConfig
from mift_ros.nodes.flight import Flight
from mift_ros.nodes.guard import guard_transitions, reported
from mift_ros.nodes.outputs import Outputs, diagnostics
from mift_ros.nodes.parameters import NodeParameters
from mift_ros.nodes.transport import remedy

REPORT_EVERY_S = 1.0


@dataclass
class Loaded:
    """What on_configure brings and on_cleanup releases."""

    config: NodeConfig
    localizer: Localizer
    outputs: Outputs
    embedder: Embedder
    identity: dict[str, str]


class LocalizerNode(LifecycleNode):
    """Camera, telemetry and map cache in, geo-poses with covariance out; docs/node.md lists its surface."""

    def __init__(self, **options: Any) -> None:
        super().__init__("localizer", **options)
        guard_transitions(self)
        self._declared = NodeParameters(self)
        self._loaded: Loaded | None = None
        self._flight: Flight | None = None
        self.trouble = ""
        """Why the last transition failed; empty after one that did not."""
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 1)
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)  # reports go on when simulated time stands still
        self.create_timer(REPORT_EVERY_S, self._report, clock=self._steady)
        self.create_service(Trigger, "~/relocalize", self._on_relocalize)
        self.create_service(SetBool, "~/enable", self._on_enable)
        if self.get_parameter("autostart").value:
            self._starter = self.create_timer(0.0, self._autostart, clock=self._steady)

    @reported
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read parameters, load and verify model and cache."""
        self._loaded = self._load(*self._declared.read())
        self.trouble = ""
        self._declared.locked = True
        self.get_logger().info(", ".join(f"{name} {value}" for name, value in self._loaded.identity.items()))
        return super().on_configure(state)

    @reported
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Open the publishers, then listen."""
        done = super().on_activate(state)
        if self._loaded is not None:
            self._flight = Flight(self, self._loaded.config, self._loaded.localizer, self._loaded.outputs)
        self.trouble = ""
        return done

    @reported
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop listening, then close the publishers."""
        self._land()
        return super().on_deactivate(state)

    @reported
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release model and cache."""
        self._release()
        self.trouble = ""
        return super().on_cleanup(state)

    @reported
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything from whatever state."""
        self._release()
        return super().on_shutdown(state)

    @reported
    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything and be unconfigured again, so that a manager can try once more."""
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def destroy_node(self) -> None:
        """End the worker before the publishers go."""
        self._release()
        super().destroy_node()

    def _load(self, config: NodeConfig, localizer_config: LocalizerConfig) -> Loaded:
        if not config.cache_path:
            raise ConfigError("parameter cache_path is empty: give the map cache made by `mift map build`")
        embedder = load_embedder(config.model, config.threads)
        cache = MapCache.open(config.cache_path, embedder.identity)
        model = embedder.identity
        identity = {
            "model": f"{model.name} {model.weights_sha256[:12]}",
            "backend": describe(embedder),
            "map": cache.manifest.source_name,
            "tiles": str(len(cache)),
        }
        localizer, outputs = Localizer(cache, embedder, localizer_config), Outputs(self, config, model.name)
        return Loaded(config, localizer, outputs, embedder, identity)

    def _land(self) -> None:
        if self._flight is not None:
            self._flight.close()
            self._flight = None

    def _release(self) -> None:
        self._land()
        if self._loaded is not None:
            self._loaded.outputs.close()
            release(self._loaded.embedder)
            self._loaded = None
            gc.collect()  # callbacks and their owners hold each other: the map would stay beside the next one
        self._declared.locked = False

    def _autostart(self) -> None:
        self.destroy_timer(self._starter)
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def _report(self) -> None:
        header = Header(stamp=self.get_clock().now().to_msg())
        model = self._loaded.embedder.identity.name if self._loaded else ""
        self._diagnostics.publish(diagnostics(self, self._status(), "localization", header, model))

    def _status(self) -> Status:
        """In every state: whoever waits for fixes is told why there are none."""
        level, why = (ERROR, f": {self.trouble}") if self.trouble else (WARN, "")
        if self._loaded is None:
            return Status(level, f"not configured{why}", {})
        if self._flight is None:
            return Status(level, f"not active{why}", self._loaded.identity)
        status = self._flight.health.report(time.monotonic(), self._flight.inputs.publishers(), remedy())
        status.values.update(self._loaded.identity, enabled=str(self._flight.enabled))
        return status

    def _on_relocalize(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success, response.message = self._flight is not None, "the next frame searches the whole map"
        if self._flight is None:
            response.message = "the node is not active"
        else:
            self._flight.relocalize()
        return response

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        response.success, response.message = self._flight is not None, "enabled" if request.data else "disabled"
        if self._flight is None:
            response.message = "the node is not active"
        else:
            self._flight.enabled = bool(request.data)
        return response
