"""Run until a signal: SIGINT and SIGTERM end a node in order, however often they come."""

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


def stop_on_signals() -> threading.Event:
    """An event that SIGINT and SIGTERM set; they do nothing else from now on."""
    stop = threading.Event()

    def on_signal(_: int, __: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    return stop


def run(make_node: Callable[[], Node]) -> None:
    """Make a node and spin it until a signal comes; returns when everything is closed."""
    stop = stop_on_signals()
    from rclpy.executors import SingleThreadedExecutor

    init()
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
        shutdown()


def init() -> None:
    """rclpy.init without its signal handlers, which end the context under a node that still publishes."""
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)


def shutdown() -> None:
    """End what init began."""
    import rclpy

    rclpy.try_shutdown()
