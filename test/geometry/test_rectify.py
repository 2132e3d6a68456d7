"""Rectification: known ground points must land where geometry says, whatever the attitude and heading."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mift_ros.errors import GeometryError
from mift_ros.geometry.camera import CameraModel
from mift_ros.geometry.frames import rotation_from_rpy, yaw_from_heading
from mift_ros.geometry.rectify import footprint, ground_view, tilt_deg

CAMERA = CameraModel.from_fov(640, 480, 70.0)
HEIGHT_M = 100.0
tilts = st.floats(-0.3, 0.3)


def pixel_of(camera, roll, pitch, heading_deg, ground_enu):
    """Project a ground point (relative to the camera) by the textbook chain, independent of the code under test."""
    body_to_enu = rotation_from_rpy(roll, pitch, yaw_from_heading(heading_deg))
    ray = camera.mount.T @ body_to_enu.T @ np.asarray(ground_enu, float)
    return camera.project(ray[None])[0]


def image_with_dot(camera, pixel):
    x, y = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    dot = 255 * np.exp(-((x - pixel[0]) ** 2 + (y - pixel[1]) ** 2) / (2 * 6.0**2))
    return np.repeat(dot[..., None], 3, axis=2).astype(np.uint8)


def brightest_m(patch, gsd_m):
    """Centroid of the dot, east/north from the patch centre in metres."""
    weight = patch[..., 0].astype(float)
    y, x = np.indices(weight.shape)
    mid = (len(weight) - 1) / 2
    east = ((x - mid) * weight).sum() / weight.sum() * gsd_m
    return east, -((y - mid) * weight).sum() / weight.sum() * gsd_m


@settings(max_examples=30, deadline=None)
@given(tilts, tilts, st.floats(0, 360), st.floats(-20, 20), st.floats(-20, 20))
def test_a_ground_point_lands_at_its_east_and_north(roll, pitch, heading_deg, east_m, north_m):
    axis = rotation_from_rpy(roll, pitch, yaw_from_heading(heading_deg)) @ CAMERA.mount @ np.array([0, 0, 1.0])
    point = axis[:2] * HEIGHT_M / -axis[2] + (east_m, north_m)
    image = image_with_dot(CAMERA, pixel_of(CAMERA, roll, pitch, heading_deg, (*point, -HEIGHT_M)))
    view = ground_view(image, CAMERA, roll, pitch, HEIGHT_M, 0.4, 150.0)
    patch, _ = view.patch(heading_deg, 160, 0.5)
    found = np.array(brightest_m(patch, 0.5)) + view.offset_enu_m(heading_deg)
    assert found == pytest.approx(point, abs=0.5)


def test_a_view_scaled_by_two_shows_the_ground_twice_as_far_apart():
    image = image_with_dot(CAMERA, pixel_of(CAMERA, 0, 0, 0, (10, 5, -HEIGHT_M)))
    view = ground_view(image, CAMERA, 0, 0, HEIGHT_M, 0.4, 150.0)
    patch, _ = view.patch(0.0, 160, 0.5, scale=2.0)
    assert brightest_m(patch, 0.5) == pytest.approx((20, 10), abs=0.5)


def test_a_distorted_camera_is_rectified_as_exactly_as_a_plain_one():
    camera = CameraModel(640, 480, 460, 460, 320, 240, (-0.25, 0.08, 0.001, 0.001, 0.0))
    image = image_with_dot(camera, pixel_of(camera, 0.1, -0.1, 30, (25, 15, -HEIGHT_M)))
    view = ground_view(image, camera, 0.1, -0.1, HEIGHT_M, 0.4, 150.0)
    patch, _ = view.patch(30.0, 200, 0.5)
    assert np.array(brightest_m(patch, 0.5)) + view.offset_enu_m(30.0) == pytest.approx((25, 15), abs=0.5)


def test_what_the_camera_does_not_see_is_black_and_invalid():
    view = ground_view(np.full((480, 640, 3), 200, np.uint8), CAMERA, 0, 0, HEIGHT_M, 0.5, 300.0)
    patch, valid = view.patch(45.0, 400, 0.5)
    assert set(np.unique(valid)) == {0, 255}
    assert (patch[valid == 0] == 0).mean() > 0.99
    assert (patch[valid > 0] > 0).mean() > 0.99
    seen_m2 = (valid > 0).sum() * 0.25
    assert seen_m2 == pytest.approx((2 * HEIGHT_M * math.tan(math.radians(35))) ** 2 * 0.75, rel=0.02)


def test_the_footprint_of_a_level_camera_is_its_field_of_view_times_height():
    corners = footprint(CAMERA, 0, 0, HEIGHT_M)
    assert np.ptp(corners[:, 1]) == pytest.approx(2 * HEIGHT_M * math.tan(math.radians(35)), rel=0.01)


def test_nose_up_moves_the_footprint_forward():
    forward = footprint(CAMERA, 0, -0.2, HEIGHT_M)[:, 0].mean()
    assert forward > 10
    assert tilt_deg(CAMERA, 0, -0.2) == pytest.approx(math.degrees(0.2))


@pytest.mark.parametrize(
    ("roll", "pitch", "height_m", "message"),
    [
        (0, 0, 0, "positive"),
        (0, 0, -5, "positive"),
        (0, 0, math.nan, "positive"),
        (math.nan, 0, 50, "finite"),
        (0, 1.3, 50, "horizon"),
    ],
)
def test_no_ground_without_height_attitude_or_below_the_horizon(roll, pitch, height_m, message):
    with pytest.raises(GeometryError, match=message):
        footprint(CAMERA, roll, pitch, height_m)
