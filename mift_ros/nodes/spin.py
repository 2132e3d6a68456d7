"""Run until a signal: SIGINT and SIGTERM end a node in order, however often they come."""

from __future__ import annotations

import signal
import sys
import threading
import traceback
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from mift_ros.nodes.availability import why_no_ros

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
    """Make a node and spin it until a signal comes; returns when everything is closed.

    Exit code 2 with one line where there is no ROS or it refuses its arguments.
    """
    stop = stop_on_signals()
    init()
    from rclpy.exceptions import ParameterException
    from rclpy.executors import SingleThreadedExecutor

    executor = SingleThreadedExecutor()
    try:
        node = make_node()
    except ParameterException as error:  # those of rclpy itself, such as use_sim_time
        shutdown()
        _refuse(str(error))
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
    """rclpy.init without its signal handlers, which end the context under a node that still publishes.

    Exit code 2 with one line where there is no ROS or it refuses its arguments.
    """
    if missing := why_no_ros():
        _refuse(f"ROS 2 is needed: {missing}; source /opt/ros/.../setup.bash, or see docs/install.md")
    import rclpy
    from rclpy.impl.implementation_singleton import rclpy_implementation
    from rclpy.signals import SignalHandlerOptions

    try:
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    except rclpy_implementation.UnknownROSArgsError as error:
        _refuse(f"unknown ROS arguments: {error}")
    except rclpy_implementation.RCLError as error:  # what rcl says against --ros-args and the environment
        _refuse(str(error).partition(", at /")[0])


def _refuse(why: str) -> NoReturn:
    print(f"mift_ros: {' '.join(why.split())}", file=sys.stderr, flush=True)
    sys.exit(2)


def shutdown() -> None:
    """End what init began."""
    import rclpy

    rclpy.try_shutdown()
