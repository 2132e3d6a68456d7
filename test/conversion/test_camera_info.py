"""camera_info: K is of the full sensor, the camera model is of the image as published."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mift_ros.conversion.camera_info import camera_from_info
from mift_ros.errors import GeometryError

NO_ROI = SimpleNamespace(x_offset=0, y_offset=0, width=0, height=0, do_rectify=False)


def info(**changes: Any) -> SimpleNamespace:
    fields = {
        "width": 640,
        "height": 480,
        "k": [500.0, 0, 319.5, 0, 510.0, 239.5, 0, 0, 1],
        "d": [],
        "p": [0.0] * 12,
        "distortion_model": "plumb_bob",
        "binning_x": 0,
        "binning_y": 0,
        "roi": NO_ROI,
    }
    return SimpleNamespace(**{**fields, **changes})


def test_plain_intrinsics_pass_through() -> None:
    camera = camera_from_info(info(d=[0.1, -0.2, 0.0, 0.0, 0.05]))
    assert (camera.width, camera.height) == (640, 480)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (500.0, 510.0, 319.5, 239.5)
    assert camera.distortion == (0.1, -0.2, 0.0, 0.0, 0.05)


def test_binning_keeps_the_centre_in_the_centre() -> None:
    camera = camera_from_info(info(binning_x=2, binning_y=2))
    assert (camera.width, camera.height) == (320, 240)
    assert (camera.fx, camera.cx, camera.cy) == (250.0, 159.5, 119.5)


def test_region_of_interest_moves_the_principal_point() -> None:
    roi = SimpleNamespace(x_offset=100, y_offset=40, width=400, height=300, do_rectify=False)
    camera = camera_from_info(info(roi=roi))
    assert (camera.width, camera.height, camera.cx, camera.cy) == (400, 300, 219.5, 199.5)


def test_a_rectified_image_is_of_p_and_has_no_distortion() -> None:
    """Numbers as a wide lens gives them: P is as far from K as the border that rectification cuts off."""
    p = [400.0, 0, 330.5, -48.0, 0, 405.0, 230.5, 0, 0, 0, 1, 0]
    msg = info(k=[500.0, 0, 319.5, 0, 510.0, 239.5, 0, 0, 1], p=p, d=[-0.3, 0.1, 0.0, 0.0, 0.0])
    raw, rectified = camera_from_info(msg), camera_from_info(msg, image_is_rectified=True)
    assert (raw.fx, raw.distortion) == (500.0, (-0.3, 0.1, 0.0, 0.0, 0.0))
    assert (rectified.fx, rectified.fy, rectified.cx, rectified.cy) == (400.0, 405.0, 330.5, 230.5)
    assert rectified.distortion == ()


def test_a_rectified_image_may_be_binned_and_cut() -> None:
    roi = SimpleNamespace(x_offset=100, y_offset=40, width=400, height=300, do_rectify=True)
    p = [400.0, 0, 330.5, 0, 0, 405.0, 230.5, 0, 0, 0, 1, 0]
    camera = camera_from_info(info(p=p, roi=roi, binning_x=2, binning_y=2), image_is_rectified=True)
    assert (camera.width, camera.height, camera.fx, camera.fy) == (200, 150, 200.0, 202.5)
    assert (camera.cx, camera.cy) == (115.0, 95.0)


def test_a_rectified_image_needs_p() -> None:
    with pytest.raises(GeometryError, match="P = 0"):
        camera_from_info(info(), image_is_rectified=True)


def test_mount_is_the_callers() -> None:
    camera = camera_from_info(info(), np.eye(3))
    assert np.array_equal(camera.mount, np.eye(3))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"k": [0.0] * 9}, "not calibrated"),
        ({"k": [float("nan")] * 9}, "not usable|skew"),
        ({"k": [500.0, 3.0, 1, 0, 500, 1, 0, 0, 1]}, "skew of 3"),
        ({"distortion_model": "thin_prism", "d": [0.0]}, "thin_prism"),
        ({"d": [0.1, 0.2]}, "2 coefficients for plumb_bob"),
        ({"width": 0}, "0x480"),
    ],
)
def test_cameras_that_cannot_be_used_are_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(GeometryError, match=says):
        camera_from_info(info(**changes))
