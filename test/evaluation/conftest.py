"""Small bags written by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mift_ros.geometry.camera import CameraModel
from mift_ros.geometry.frames import quaternion_from_rpy, yaw_from_heading
from mift_ros.simulation.record import FlightWriter, Storage

START_NS = 1_700_000_000_000_000_000
MS = 1_000_000
CAMERA = CameraModel.from_fov(8, 6, 60.0)


def _write_flight(path, storage=Storage.MCAP, images=3, info=True, step_ms=500):
    """Images every `step_ms`; heading, height and latitude grow by one unit per image, between as well."""
    with FlightWriter(path, storage) as writer:
        for k in range(images * step_ms // 50):
            stamp, at = START_NS + k * 50 * MS, k * 50 / step_ms
            q = quaternion_from_rpy(0.0, 0.0, yaw_from_heading(10.0 + at))
            writer.imu(stamp, q, heading_known=True)
            writer.height(stamp, 100.0 + at)
            if k % 2 == 0:
                writer.truth(stamp, 45.0 + 1e-5 * at, 7.0, 300.0, q)
            if k * 50 % step_ms == 0:
                writer.image(stamp, np.full((6, 8, 3), k % 256, np.uint8), compress=False)
                if info:
                    writer.camera_info(stamp, CAMERA)
    return path


@pytest.fixture(scope="session")
def write_flight():
    return _write_flight


@pytest.fixture
def flight_path(tmp_path):
    return _write_flight(tmp_path / "flight")
