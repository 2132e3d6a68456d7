"""Executable `localizer`: the signal handlers stand before anything heavy is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mift_ros.nodes.spin import run
from mift_ros.threads import keep_blas_single

if TYPE_CHECKING:
    from rclpy.node import Node


def _make() -> Node:
    from mift_ros.nodes.localizer_node import LocalizerNode

    return LocalizerNode()


def main() -> None:
    """Entry point; ROS arguments are taken from the command line."""
    keep_blas_single()
    run(_make)


if __name__ == "__main__":
    main()
