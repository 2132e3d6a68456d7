"""The camera model by hand-computed rays and by round trips."""

import math

import numpy as np
import pytest

from mift_ros.errors import GeometryError
from mift_ros.geometry.camera import CameraModel

PLAIN = CameraModel.from_fov(640, 480, 90.0)
BROWN = CameraModel(640, 480, 400, 410, 322, 238, (-0.2, 0.05, 0.001, -0.002, 0.01))
FISHEYE = CameraModel(640, 480, 300, 300, 320, 240, (0.02, -0.01, 0.003, -0.001), "equidistant")


def test_ninety_degrees_across_the_width_put_the_focal_length_at_half_of_it():
    assert PLAIN.fx == pytest.approx(320)
    assert (PLAIN.cx, PLAIN.cy) == (319.5, 239.5)


def test_a_ray_45_degrees_to_the_right_meets_the_image_edge():
    assert PLAIN.project(np.array([[1.0, 0, 1.0]]))[0] == pytest.approx((639.5, 239.5))


@pytest.mark.parametrize("camera", [PLAIN, BROWN, FISHEYE], ids=["none", "plumb_bob", "equidistant"])
def test_rays_undo_projection(camera):
    pixels = np.array([[10.0, 20.0], [320.0, 240.0], [600.0, 100.0], [50.0, 450.0]])
    assert camera.project(camera.rays(pixels)) == pytest.approx(pixels, abs=0.05)


def test_the_nadir_mount_sees_the_ground_with_the_nose_up_in_the_image():
    down_and_forward = PLAIN.mount @ np.array([0.0, -1.0, 1.0])  # image top
    assert down_and_forward == pytest.approx((1, 0, -1))
    assert np.linalg.det(PLAIN.mount) == pytest.approx(1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0}, "sizes"),
        ({"fx": 0.0}, "calibrated"),
        ({"cx": math.nan}, "not usable"),
        ({"distortion_model": "thin_prism"}, "thin_prism"),
    ],
)
def test_cameras_that_cannot_be_used_are_refused_by_name(change, message):
    values = {"width": 640, "height": 480, "fx": 400.0, "fy": 400.0, "cx": 320.0, "cy": 240.0} | change
    with pytest.raises(GeometryError, match=message):
        CameraModel(**values)
