"""Run one node until a signal: SIGINT and SIGTERM end it in order, however often they come."""

from __future__ import annotations

import signal
import sys
import threading
import traceback
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rclpy.node import Node

WAKE_EVERY_S = 0.1


def run(make_node: Callable[[], Node]) -> int:
    """Spin the node that `make_node` makes; returns the process's exit code, 0 after a signal."""
    stop = threading.Event()

    def on_signal(_: int, __: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    _spin(make_node, stop)
    return 0


def _spin(make_node: Callable[[], Node], stop: threading.Event) -> None:
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.signals import SignalHandlerOptions

    # rclpy's own handlers end the context under a node that still publishes, and the second signal the process.
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    executor = SingleThreadedExecutor()
    node = make_node()
    executor.add_node(node)
    try:
        while not stop.is_set():
            try:
                executor.spin_once(timeout_sec=WAKE_EVERY_S)
            except Exception:  # one bad message must not end the flight; nothing is hidden
                print(traceback.format_exc(), file=sys.stderr, flush=True)
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown()
