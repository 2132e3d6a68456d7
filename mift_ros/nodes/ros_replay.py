"""Replay a bag through the running node: localizer, player and recorder are three processes that meet over DDS only."""

from __future__ import annotations

import itertools
import json
import os
import queue
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mift_ros.errors import BagError, ConfigError
from mift_ros.evaluation.bag import Bag
from mift_ros.evaluation.records import FixRecord, FrameRecord
from mift_ros.nodes.processes import RosProcess

NODE = "/localizer"
READY_WITHIN_S = 60.0
QUIET_S = 3.0
"""The flight is over when the player has ended and nothing has come back for this long and three frames' work."""

RUNS = itertools.count()
"""Discovery still knows the last replay's node for a moment: each replay has a DDS domain of its own."""

OnRecord = Callable[[FrameRecord], None]


@dataclass(frozen=True)
class RosReplay:
    """What to fly and how: `parameters` are the node's, `rate` is the pace against the recording."""

    bag: Bag
    cache: Path
    model: str = "mift_nano"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    rate: float = 1.0


def replay_over_ros(replay: RosReplay, on_record: OnRecord = lambda record: None) -> list[FrameRecord]:
    """Every verdict that came back over DDS, in the order of arrival, without truth; `on_record` gets each at once.

    Frames that the node had no time for are not in the list.

    Raises:
        BagError: nothing came back, or the node ended.
        ConfigError: the node could not be configured; its own line is told.
    """
    topics = bag_inputs(replay.bag)
    domain_id = 1 + (os.getpid() + next(RUNS)) % 100
    records: list[FrameRecord] = []
    with tempfile.TemporaryDirectory(prefix="mift_ros_") as folder, ExitStack() as stack:

        def start(name: str, *arguments: str, read: bool = False) -> RosProcess:
            log = Path(folder, f"{name}.log")
            return stack.enter_context(RosProcess(f"mift_ros.nodes.{name}", arguments, domain_id, log, read))

        node = start("localizer", "--ros-args", *_remaps(topics), *_settings(replay, topics, Path(folder)))
        lines = _lines_of(start("recorder", "--node", NODE, read=True))
        _wait_until_ready(lines, node)
        names = [f"--topic={topic}" for topic in topics]
        player = start("player", str(replay.bag.path), f"--rate={replay.rate}", *names)
        for line in _until_quiet(lines, player, node):
            records.append(record_of_line(line))
            on_record(records[-1])
        if not node.running():
            raise BagError(f"{replay.bag.path}: the localizer node ended in mid-flight; {node.complaint()}")
        if not records:
            raise BagError(f"{replay.bag.path}: nothing came back over DDS; {player.complaint() or node.complaint()}")
    return records


def bag_inputs(bag: Bag) -> dict[str, str]:
    """Topics of the bag and the inputs of the node that they feed: its roles, less the truth."""
    inputs = {topic: role for role, topic in bag.roles() if topic and role != "truth"}
    if hasattr(_first(bag, "image"), "format"):
        inputs[bag.topic("image")] = "image/compressed"
    return inputs


def _first(bag: Bag, role: str) -> Any:
    """The first message of a role, None if there is none."""
    return next((message for _, _, message in bag.messages([role])), None)


def record_of_line(line: Mapping[str, Any]) -> FrameRecord:
    """A line of the recorder as the record that the evaluation takes."""
    latency_s = float(line["latency_s"])
    if line["state"] != "fix":
        return FrameRecord(line["stamp_ns"], None, reason=line["state"], detail=line["detail"], latency_s=latency_s)
    fix = FixRecord(
        lat_deg=line["lat_deg"],
        lon_deg=line["lon_deg"],
        altitude_ellipsoid_m=line["altitude_ellipsoid_m"],
        heading_deg=line["heading_deg"],
        covariance=np.array(line["covariance"]).reshape(6, 6),
        covariance_calibrated=line["covariance_calibrated"],
        similarity=float(line["similarity"]),
        lead=float(line["lead"]),
    )
    return FrameRecord(line["stamp_ns"], None, fix=fix, latency_s=latency_s)


def _remaps(topics: Mapping[str, str]) -> list[str]:
    return [word for topic, name in topics.items() for word in ("-r", f"{name}:={topic}")]


def _settings(replay: RosReplay, topics: Mapping[str, str], folder: Path) -> list[str]:
    """A parameter file rather than `-p`: values keep their types and need no quoting."""
    import yaml

    height = _first(replay.bag, "height_agl")
    own = {
        "cache_path": str(replay.cache),
        "model": replay.model,
        "image_transport": "compressed" if "image/compressed" in topics.values() else "raw",
        "height_message": "float64" if height is not None and not hasattr(height, "range") else "range",
        "autostart": True,
    }
    path = folder / "parameters.yaml"
    path.write_text(yaml.safe_dump({NODE: {"ros__parameters": {**replay.parameters, **own}}}))
    return ["--params-file", str(path)]


def _lines_of(process: RosProcess) -> queue.Queue[dict[str, Any]]:
    """Its JSON lines as they come; a thread reads them, so that waiting can end."""
    lines: queue.Queue[dict[str, Any]] = queue.Queue()

    def read() -> None:
        for line in process.output:
            lines.put(json.loads(line))

    threading.Thread(target=read, daemon=True).start()
    return lines


def _wait_until_ready(lines: queue.Queue[dict[str, Any]], node: RosProcess) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline and node.running() and not node.complaint():
        try:
            lines.get(timeout=0.2)
            return
        except queue.Empty:
            continue
    raise ConfigError(f"the localizer node did not become ready: {node.complaint() or 'no reason in its log'}")


def _until_quiet(lines: queue.Queue[dict[str, Any]], player: RosProcess, node: RosProcess) -> Iterator[dict[str, Any]]:
    """What the recorder says, until the player has ended and the node has had its time, or has ended itself."""
    last_s, patience_s = time.monotonic(), QUIET_S
    while node.running() and (player.running() or time.monotonic() - last_s < patience_s):
        try:
            line = lines.get(timeout=0.2)
        except queue.Empty:
            continue
        patience_s = QUIET_S + 3.0 * float(line["latency_s"])
        last_s = time.monotonic()
        yield line
