"""A flight as a rosbag2 folder."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
from rosbags.interfaces import Connection
from rosbags.rosbag2 import StoragePlugin, Writer, WriterError

from mift_ros.errors import BagError, first_line
from mift_ros.geometry.camera import CameraModel
from mift_ros.simulation.messages import Messages, Quaternion, flight_types

IMAGE, COMPRESSED, CAMERA_INFO = "/camera/image", "/camera/image/compressed", "/camera/camera_info"
IMU, HEIGHT_AGL, ODOMETRY, TRUTH = "/imu", "/height_agl", "/odometry", "/truth/geopose"

TRANSFER_NS = 40_000_000
"""Time from exposure to arrival of an image: it is recorded after younger telemetry, as on a vehicle."""


class Storage(str, Enum):
    """rosbag2 storage plugins."""

    MCAP = "mcap"
    SQLITE3 = "sqlite3"


class FlightWriter:
    """Writes a bag beside its final place and moves it there when the `with` block ends without an error.

    Stamps are nanoseconds; messages may be given in any order of topics, in time order within a topic.
    """

    def __init__(self, path: Path, storage: Storage = Storage.MCAP) -> None:
        if path.exists():
            raise BagError(f"{path} exists already: choose another name or remove it")
        self._path, self._work = path, path.with_name(f".{path.name}.partial")
        self._storage = StoragePlugin[storage.name]
        self._types = flight_types()
        self._messages = Messages(self._types)
        self._topics: dict[str, Connection] = {}

    def __enter__(self) -> FlightWriter:
        """Start writing; a partial bag that was left by an interrupted run is removed."""
        with self._failure_told():
            shutil.rmtree(self._work, ignore_errors=True)
            self._work.mkdir(parents=True)
            # version 9 lists QoS profiles, which Humble's rosbag2 cannot read: there they are one text
            self._writer = Writer(self._work / self._path.name, version=8, storage_plugin=self._storage)
            self._writer.open()
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, trace: TracebackType | None) -> None:
        """Finish the bag, or remove what there is of it."""
        try:
            with self._failure_told():
                self._writer.close()
                if kind is None:
                    os.replace(self._work / self._path.name, self._path)
        except BagError:
            if kind is None:  # else what ended the block is told
                raise
        finally:
            shutil.rmtree(self._work, ignore_errors=True)

    def image(self, stamp_ns: int, rgb: npt.NDArray[np.uint8], compress: bool, arrival_ns: int | None = None) -> None:
        """An exposure [H, W, 3], raw or as JPEG; it arrives after TRANSFER_NS if nothing else is said."""
        message = self._messages.jpeg(stamp_ns, rgb) if compress else self._messages.image(stamp_ns, rgb)
        arrival_ns = stamp_ns + TRANSFER_NS if arrival_ns is None else arrival_ns
        self._write(COMPRESSED if compress else IMAGE, arrival_ns, message)

    def image_file(self, stamp_ns: int, data: bytes, kind: str) -> None:
        """An exposure that is a file already: "jpeg" or "png"."""
        message = self._messages.compressed(stamp_ns, np.frombuffer(data, np.uint8), kind)
        self._write(COMPRESSED, stamp_ns + TRANSFER_NS, message)

    def camera_info(self, stamp_ns: int, camera: CameraModel) -> None:
        """The intrinsics at a stamp."""
        self._write(CAMERA_INFO, stamp_ns + TRANSFER_NS, self._messages.camera_info(stamp_ns, camera))

    def imu(self, stamp_ns: int, orientation: Quaternion, heading_known: bool) -> None:
        """Attitude, body (FLU) to ENU."""
        self._write(IMU, stamp_ns, self._messages.imu(stamp_ns, orientation, heading_known))

    def height(self, stamp_ns: int, height_agl_m: float) -> None:
        """Height above ground, metres."""
        self._write(HEIGHT_AGL, stamp_ns, self._messages.height(stamp_ns, height_agl_m))

    def odometry(self, stamp_ns: int, east_m: float, north_m: float) -> None:
        """Dead-reckoned east/north, metres."""
        self._write(ODOMETRY, stamp_ns, self._messages.odometry(stamp_ns, east_m, north_m))

    def truth(self, stamp_ns: int, lat_deg: float, lon_deg: float, altitude_ellipsoid_m: float, q: Quaternion) -> None:
        """Where the vehicle is: WGS 84 degrees, metres above the ellipsoid, body to ENU quaternion."""
        self._write(TRUTH, stamp_ns, self._messages.geopose(stamp_ns, lat_deg, lon_deg, altitude_ellipsoid_m, q))

    def _write(self, topic: str, log_ns: int, message: Any) -> None:
        kind = message.__msgtype__
        data = self._types.serialize_cdr(message, kind)
        with self._failure_told():
            if topic not in self._topics:
                self._topics[topic] = self._writer.add_connection(topic, kind, typestore=self._types)
            self._writer.write(self._topics[topic], log_ns, data)

    @contextmanager
    def _failure_told(self) -> Iterator[None]:
        """Of the file system, of SQLite where it is the storage, and of the library itself."""
        try:
            yield
        except (OSError, sqlite3.Error, WriterError) as error:
            raise BagError(f"{self._path} cannot be written: {first_line(error)}") from error
