"""Executable: play the topics of a bag over DDS, byte for byte, at the pace they were recorded.

python -m mift_ros.nodes.player BAG --topic /camera/image --topic /imu [--rate 2]
"""

from __future__ import annotations

import argparse
import importlib
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mift_ros.evaluation.bag import storage_files
from mift_ros.nodes.spin import init, shutdown, stop_on_signals

SETTLE_S = 0.5
"""Matched here is not yet matched there: a best-effort sample sent at once may be lost."""
DEPTH = 10


def play(bag: Path, topics: Sequence[str], rate: float, stop: threading.Event) -> int:
    """Publish until the bag ends or `stop` is set; returns how many messages went out."""
    import rclpy
    from rosbags.highlevel import AnyReader

    node = rclpy.create_node("player")
    sent = 0
    with AnyReader(storage_files(bag)) as reader:
        connections = [c for c in reader.connections if c.topic in topics]
        publishers = {c.id: _publisher(node, c.topic, c.msgtype) for c in connections}
        _wait_for_listener(publishers.values(), stop)
        started_s, first_ns = time.monotonic(), None
        for connection, stamp_ns, raw in reader.messages(connections):
            first_ns = stamp_ns if first_ns is None else first_ns
            due_s = started_s + (stamp_ns - first_ns) / 1e9 / rate
            if stop.wait(max(due_s - time.monotonic(), 0.0)):
                break
            publishers[connection.id].publish(bytes(raw))
            sent += 1
    stop.wait(SETTLE_S)
    node.destroy_node()
    return sent


def _publisher(node: Any, topic: str, kind: str) -> Any:
    from rclpy.qos import QoSProfile, ReliabilityPolicy

    package, _, name = kind.split("/")
    message = getattr(importlib.import_module(f"{package}.msg"), name)
    return node.create_publisher(message, topic, QoSProfile(depth=DEPTH, reliability=ReliabilityPolicy.BEST_EFFORT))


def _wait_for_listener(publishers: Any, stop: threading.Event) -> None:
    """Until every topic has a subscription, and a moment longer."""
    while not all(p.get_subscription_count() for p in publishers) and not stop.wait(0.05):
        pass
    stop.wait(SETTLE_S)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bag", type=Path)
    parser.add_argument("--topic", action="append", required=True)
    parser.add_argument("--rate", type=float, default=1.0)
    arguments = parser.parse_args()
    stop = stop_on_signals()
    init()
    sent = play(arguments.bag, arguments.topic, arguments.rate, stop)
    shutdown()
    print(f"played {sent} messages")


if __name__ == "__main__":
    main()
