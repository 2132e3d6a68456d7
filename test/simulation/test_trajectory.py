"""A flight keeps to its speed, its height and its map."""

import numpy as np
import pytest

from mift_ros.errors import SimulationError
from mift_ros.simulation.trajectory import STEP_S, Pattern, fly


@pytest.fixture(params=list(Pattern))
def flown(request, hills):
    scene = hills()
    return scene, fly(scene, request.param, 60.0, 10.0, 80.0, 60.0, np.random.default_rng(3))


def test_speed_over_ground_is_constant(flown):
    _, path = flown
    steps = np.linalg.norm(np.diff(path.position_m[:, :2], axis=0), axis=1)
    assert steps / STEP_S == pytest.approx(10.0, rel=1e-6)


def test_stays_inside_the_margin(flown):
    _, path = flown
    assert np.abs(path.position_m[:, :2]).max() < 300.0 - 60.0


def test_follows_the_terrain_smoothly(flown):
    scene, path = flown
    ground = scene.terrain.sample(path.position_m[:, :1], path.position_m[:, 1:2]).ravel()
    assert path.position_m[:, 2] - ground == pytest.approx(path.height_agl_m, abs=1e-3)
    assert path.height_agl_m.min() > 60.0 and path.height_agl_m.max() < 100.0
    assert np.abs(np.diff(path.position_m[:, 2])).max() / STEP_S < 6.0


def test_attitude_is_smooth_and_heads_along_the_track(flown):
    _, path = flown
    assert np.abs(np.diff(path.rpy_rad, axis=0)).max() / STEP_S < 1.0
    course = np.arctan2(*np.diff(path.position_m[:, :2], axis=0).T[::-1])
    crab = np.angle(np.exp(1j * (path.rpy_rad[1:, 2] - course)))
    assert np.degrees(np.abs(crab)).max() < 30.0
    assert np.degrees(np.abs(path.rpy_rad[:, :2])).max() < 20.0


def test_interpolation_meets_the_samples(flown):
    _, path = flown
    position, rpy = path.at(float(path.time_s[1234]))
    assert position == pytest.approx(path.position_m[1234])
    assert rpy == pytest.approx(path.rpy_rad[1234])


def test_a_map_too_small_names_what_is_needed(flat):
    with pytest.raises(SimulationError, match=r"the map is 100 x 100 m; .* needs \d+ m"):
        fly(flat(100), Pattern.WANDER, 10.0, 10.0, 120.0, 100.0, np.random.default_rng(0))
