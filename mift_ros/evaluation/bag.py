"""Open a recorded bag and read the messages of its topics by their roles. No ROS needed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from rosbags.highlevel import AnyReader
from rosbags.interfaces import Nodetype
from rosbags.interfaces.typing import Typesdict

from mift_ros.errors import BagError, first_line
from mift_ros.evaluation.topics import Topics
from mift_ros.simulation.messages import flight_types

STORAGE = (".mcap", ".db3")
YOUNGER = ("sensor_msgs/msg/Range.variance",)
"""Fields that recordings of Humble do not have yet; nobody reads them."""


class Bag:
    """A bag whose topics have been told apart.

    Raises:
        BagError: not a bag, damaged, without images or without camera_info, ambiguous, or of altered message types.
    """

    def __init__(self, path: Path, topics: Topics | None = None) -> None:
        self.path = path
        self._files = storage_files(path)
        with self._open() as reader:
            types = {c.topic: c.msgtype for c in reader.connections}
            self._roles = (topics or Topics()).resolve(types, str(path))
            _require_standard(reader, self._roles, path)
            self.frames = sum(c.msgcount for c in reader.connections if self._roles.get(c.topic) == "image")
            self.duration_s = max(0.0, reader.duration / 1e9)
        for role in ("image", "camera_info"):
            if next(self.messages([role]), None) is None:
                raise BagError(
                    f"{path}: topic {self.topic(role)} has no messages that can be read: no {role}, no replay"
                )

    def topic(self, role: str) -> str:
        """The topic of a role, empty if the bag has none."""
        return next((topic for topic, its_role in self._roles.items() if its_role == role), "")

    def roles(self) -> list[tuple[str, str]]:
        """Every role with its topic, empty where the bag has none."""
        return [(field.name, self.topic(field.name)) for field in fields(Topics)]

    def messages(self, roles: Collection[str] = ()) -> Iterator[tuple[str, int, Any]]:
        """Role, time of arrival (ns) and message, in the order of arrival, of some roles or of all.

        Raises:
            BagError: the storage is damaged.
        """
        with self._open() as reader:
            wanted = [c for c in reader.connections if c.topic in self._roles]
            wanted = [c for c in wanted if not roles or self._roles[c.topic] in roles]
            stored = reader.messages(wanted) if wanted else iter(())
            while True:
                with self._damage_told():
                    item = next(stored, None)
                    if item is None:
                        return
                    connection, log_ns, raw = item
                    message = reader.deserialize(raw, connection.msgtype)
                yield self._roles[connection.topic], log_ns, message

    @contextmanager
    def _open(self) -> Iterator[AnyReader]:
        reader = AnyReader(self._files, default_typestore=flight_types())
        with self._damage_told():
            reader.open()
        try:
            yield reader
        finally:
            reader.close()

    @contextmanager
    def _damage_told(self) -> Iterator[None]:
        """The storage libraries raise whatever they stumble over in a damaged file."""
        try:
            yield
        except Exception as error:
            raise BagError(f"{self.path}: the bag cannot be read ({first_line(error)})") from error


def _require_standard(reader: AnyReader, roles: Mapping[str, str], path: Path) -> None:
    """Messages are read by the definitions in the bag, which may call anything sensor_msgs/msg/Image."""
    standard, found = flight_types().fielddefs, reader.typestore.fielddefs
    for connection in reader.connections:
        if connection.topic in roles and (other := _other_field(connection.msgtype, found, standard)):
            raise BagError(
                f"{path}: topic {connection.topic}: {other} is missing from the bag's definition of the message or is "
                "another there; record it with the standard message"
            )


def _other_field(name: str, found: Typesdict, standard: Typesdict) -> str:
    """The first field of a message type, or of a type within it, that is not the standard one; empty if all are."""
    fields_found = dict(found[name][1])
    for field, kind in standard[name][1] if name in standard else ():
        if fields_found.get(field) != kind and f"{name}.{field}" not in YOUNGER:
            return f"{name}.{field}"
        if kind[0] is Nodetype.NAME and (other := _other_field(kind[1], found, standard)):
            return other
    return ""


def storage_files(path: Path) -> list[Path]:
    """The storage files, in order, of a bag given as a folder or as one of them.

    They are opened rather than the folder: where metadata.yaml names another QoS than the storage, a reader of the
    folder finds nothing.
    """
    if path.is_file() and path.suffix in STORAGE:
        return [path]
    if not path.is_dir():
        raise BagError(f"{path}: {'not a bag folder, .mcap or .db3' if path.exists() else 'no such bag'}")
    found = [file for file in path.iterdir() if file.suffix in STORAGE]
    if found:
        return sorted(found, key=lambda file: [int(digits) for digits in re.findall(r"\d+", file.stem)][-1:])
    if (path / "metadata.yaml").is_file():
        return [path]
    raise BagError(f"{path}: no .mcap or .db3 in this folder: is it a bag?")
