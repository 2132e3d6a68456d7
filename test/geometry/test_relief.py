"""A camera tilted 20 degrees over a plane that rises by 20 % ahead of it, rays cast by hand."""

import math

import cv2
import numpy as np
import pytest

from mift_ros.geometry.camera import CameraModel
from mift_ros.geometry.rectify import ground_from_camera, ground_view

CAMERA = CameraModel.from_fov(480, 360, 70.0)
PITCH, SLOPE, HEIGHT_M, GSD_M = -math.radians(20.0), 0.2, 100.0, 0.4
GROUND = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 256, (800, 800), np.uint8), (0, 0), 3)
GROUND = cv2.normalize(GROUND, None, 0, 255, cv2.NORM_MINMAX)


def ground_at(forward_m, right_m):
    """Grey of the ground at points of arrays, 0.5 m per pixel about the point under the camera."""
    x, y = (np.asarray(v / 0.5 + 400, np.float32) for v in (right_m, forward_m))
    return cv2.remap(GROUND, x, y, cv2.INTER_LINEAR)


def photo():
    """What the camera sees: of each ray (f, r, d) the point s (f, r) with s d = HEIGHT - SLOPE s f."""
    x, y = np.meshgrid(np.arange(480.0), np.arange(360.0))
    rays = CAMERA.rays(np.stack([x, y], axis=-1).reshape(-1, 2)) @ ground_from_camera(CAMERA, 0.0, PITCH).T
    hit = (HEIGHT_M / (rays[:, 2] + SLOPE * rays[:, 0]))[:, None] * rays[:, :2]
    grey = ground_at(hit[:, 0].reshape(x.shape), hit[:, 1].reshape(x.shape))
    return np.repeat(grey[..., None], 3, axis=2)


def rise_m(points):
    return SLOPE * points[:, 0]


def shift_m(view):
    """By how much the middle of a view shows other ground than it says."""
    steps = (np.arange(len(view.rgb)) - (len(view.rgb) - 1) / 2) * view.gsd_m
    right, backward = np.meshgrid(view.centre_m[1] + steps, steps - view.centre_m[0])
    middle = slice(len(steps) // 2 - 32, len(steps) // 2 + 32)
    said, shown = (a[middle, middle].astype(np.float64) for a in (ground_at(-backward, right), view.rgb[..., 0]))
    return math.hypot(*cv2.phaseCorrelate(said, shown, cv2.createHanningWindow((64, 64), cv2.CV_64F))[0]) * view.gsd_m


def test_a_level_view_is_metres_off_and_one_over_the_slope_is_not():
    # level: 100 tan 20 = 36.40 m ahead; on the slope d = (100 - 0.2 d) tan 20, so d = 33.93 m
    level = ground_view(photo(), CAMERA, 0.0, PITCH, HEIGHT_M, GSD_M, 180.0)
    over = ground_view(photo(), CAMERA, 0.0, PITCH, HEIGHT_M, GSD_M, 180.0, rise_m)
    assert level.centre_m == pytest.approx((36.397, 0.0), abs=1e-3)
    assert over.centre_m == pytest.approx((33.927, 0.0), abs=1e-3)
    assert shift_m(level) == pytest.approx(36.397 - 33.927, abs=0.3)
    assert shift_m(over) < 0.06


def test_without_relief_both_are_the_same_to_the_bit():
    level = ground_view(photo(), CAMERA, 0.1, PITCH, HEIGHT_M, GSD_M, 180.0)
    flat = ground_view(photo(), CAMERA, 0.1, PITCH, HEIGHT_M, GSD_M, 180.0, lambda points: np.zeros(len(points)))
    assert np.array_equal(level.rgb, flat.rgb)
    assert np.array_equal(level.valid, flat.valid)
    assert level.centre_m == flat.centre_m
