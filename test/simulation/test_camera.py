"""The rendering is exact: known points of the world appear at the pixels where the camera model projects them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mift_ros.errors import SimulationError
from mift_ros.geometry.camera import CameraModel
from mift_ros.geometry.frames import rotation_from_rpy, yaw_from_heading
from mift_ros.simulation.camera import SceneCamera

CAMERA = CameraModel.from_fov(81, 61, 60.0)
"""The principal point is pixel (40, 30); the focal length is 40.5 / tan(30 deg)."""


def level(heading_deg: float) -> np.ndarray:
    return rotation_from_rpy(0.0, 0.0, yaw_from_heading(heading_deg))


@pytest.mark.parametrize(
    ("heading_deg", "pixel", "east_north"),
    [
        (0.0, (40, 30), (0.0, 0.0)),
        (0.0, (60, 30), (20 / CAMERA.fx * 100, 0.0)),  # right of the image is east when flying north
        (0.0, (40, 10), (0.0, 20 / CAMERA.fx * 100)),  # the top is ahead
        (90.0, (40, 10), (20 / CAMERA.fx * 100, 0.0)),
        (180.0, (60, 30), (-20 / CAMERA.fx * 100, 0.0)),
    ],
)
def test_level_flight_by_hand(flat, heading_deg, pixel, east_north):
    points = SceneCamera(flat(), CAMERA).ground_points(np.array([0.0, 0.0, 100.0]), level(heading_deg))
    assert points[pixel[1], pixel[0]] == pytest.approx((*east_north, 0.0), abs=1e-6)


def test_nose_up_looks_ahead_by_height_times_tangent(flat):
    tilt = np.radians(10.0)
    pose = rotation_from_rpy(0.0, -tilt, yaw_from_heading(0.0))
    points = SceneCamera(flat(), CAMERA).ground_points(np.array([5.0, 7.0, 50.0]), pose)
    assert points[30, 40] == pytest.approx((5.0, 7.0 + 50.0 * np.tan(tilt), 0.0), abs=1e-6)


def test_right_side_down_looks_left(flat):
    pose = rotation_from_rpy(np.radians(10.0), 0.0, yaw_from_heading(0.0))
    points = SceneCamera(flat(), CAMERA).ground_points(np.array([0.0, 0.0, 50.0]), pose)
    assert points[30, 40, 0] == pytest.approx(-50.0 * np.tan(np.radians(10.0)), abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(
    st.floats(-0.3, 0.3), st.floats(-0.3, 0.3), st.floats(0.0, 360.0), st.floats(-60, 60), st.floats(-60, 60),
    st.sampled_from([(), (-0.2, 0.05, 0.001, -0.001, 0.0)]),
)  # fmt: skip
def test_every_pixel_sees_a_point_of_the_surface_that_projects_onto_it(
    hills, roll, pitch, heading, east, north, distortion
):
    scene = hills()
    camera = CameraModel(81, 61, 75.0, 75.0, 40.0, 30.0, distortion)
    position, pose = np.array([east, north, 140.0]), rotation_from_rpy(roll, pitch, yaw_from_heading(heading))
    points = SceneCamera(scene, camera).ground_points(position, pose)
    assert np.abs(scene.terrain.sample(points[..., 0], points[..., 1]) - points[..., 2]).max() < 0.05
    seen = (points - position).reshape(-1, 3) @ (pose @ camera.mount)
    rows, cols = np.indices((61, 81))
    assert np.abs(camera.project(seen) - np.stack([cols, rows], axis=-1).reshape(-1, 2)).max() < 1e-3


def test_a_tower_leans_away_from_the_image_centre_and_hides_what_is_behind(scene_of):
    surface = np.zeros((400, 400))
    surface[195:205, 220:230] = 20.0  # 20 to 30 m east of the origin
    points = SceneCamera(scene_of(surface, np.zeros_like(surface)), CAMERA).ground_points(
        np.array([0.0, 0.0, 100.0]), level(0.0)
    )
    row = points[30]
    roof = row[row[:, 2] > 19.0]
    assert len(roof) > 5
    assert roof[:, 0].min() > 19.0 and roof[:, 0].max() < 31.0
    shadow = 30.0 * 100.0 / (100.0 - 20.0)  # the first ground seen behind the roof's far edge
    ground = row[(row[:, 2] < 0.1) & (row[:, 0] > 30.0)]
    assert ground[:, 0].min() == pytest.approx(shadow, abs=2.0)


def test_halvings_find_a_wall_where_it_stands(scene_of):
    surface = np.zeros((400, 400))
    surface[195:205, 220:230] = 20.0
    eye = SceneCamera(scene_of(surface, np.zeros_like(surface)), CAMERA, layers=12, halvings=4)
    row = eye.ground_points(np.array([-20.0, 0.0, 100.0]), level(0.0))[30]
    wall = row[(row[:, 2] > 1.0) & (row[:, 2] < 18.0)]
    assert len(wall) >= 4
    assert np.abs(wall[:, 0] - 20.0).max() < 0.6  # the raster's wall is a pixel wide


def test_rendered_colours_are_those_of_the_place(flat):
    image = SceneCamera(flat(), CAMERA).render(np.array([0.5, -0.5, 30.0]), level(0.0))
    assert image[30, 40].tolist() == [200, 200, 0]  # the centre of row 200, column 200


def test_underground_and_horizon_are_refused(flat):
    eye = SceneCamera(flat(height_m=50.0), CAMERA)
    with pytest.raises(SimulationError, match="not above it"):
        eye.render(np.array([0.0, 0.0, 40.0]), level(0.0))
    with pytest.raises(SimulationError, match="horizon"):
        eye.render(np.array([0.0, 0.0, 150.0]), rotation_from_rpy(1.2, 0.0, 0.0))
