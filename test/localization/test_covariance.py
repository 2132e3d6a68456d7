"""The covariance of a fix: always usable, and each part as geometry says."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mift_ros.geometry.frames import rotation_from_rpy
from mift_ros.localization.covariance import (
    LEVEL_SIGMA_RAD,
    SEARCHED_M,
    UNKNOWN_ALTITUDE_SIGMA_M,
    ErrorModel,
    ErrorSources,
    Known,
    covariance,
    definite,
    height_sigma_m,
)

NOTHING = ErrorModel(1e-9, 0.0, 0.0, 0.0, 1e-9, 0.0, 1e-9, 0.0, 0.0, 1.0)
MODEL = ErrorModel(3.0, 1.0, 2.0, math.radians(0.6), 2.0, math.radians(0.5), 2.0, 0.01, 0.5, 0.3)
KNOWN = Known(attitude=True, altitude=True)
SHARP = ErrorSources(
    sharpness=np.eye(2), heading_sharpness=100.0, scale_sharpness=100.0, drift_m=np.zeros((2, 2)), significance=10.0,
    offset_m=(30.0, -20.0), height_agl_m=100.0, gsd_m=1e-6, heading_reach_rad=0.1, scale_reach=0.1,
)  # fmt: skip
anything = st.one_of(st.floats(), st.floats(-1e4, 1e4))
sources = st.builds(
    ErrorSources,
    sharpness=arrays(float, (2, 2), elements=anything),
    heading_sharpness=anything,
    scale_sharpness=anything,
    drift_m=arrays(float, (2, 2), elements=anything),
    significance=anything,
    offset_m=st.tuples(anything, anything),
    height_agl_m=st.one_of(anything, st.floats(1.0, 1000.0)),
    gsd_m=anything,
    heading_reach_rad=anything,
    scale_reach=anything,
    slope=st.tuples(anything, anything),
    pull_m=st.tuples(anything, anything),
)


@settings(deadline=None)
@given(
    sources,
    st.builds(
        Known, st.booleans(), st.booleans(), st.floats(0, 100), st.one_of(st.just(math.nan), st.floats(0.01, 1000))
    ),
)
def test_it_is_finite_symmetric_and_positive_definite_whatever_was_measured(measured, known):
    found = covariance(measured, MODEL, known)
    assert np.isfinite(found).all()
    assert (found == found.T).all()
    np.linalg.cholesky(found)


@settings(deadline=None)
@given(arrays(float, (6, 6), elements=st.one_of(st.floats(), st.floats(-1e12, 1e12))))
def test_any_matrix_becomes_one_that_can_be_inverted(matrix):
    found = definite(matrix)
    assert np.isfinite(found).all()
    assert (found == found.T).all()
    np.linalg.cholesky(found)


def test_a_covariance_that_is_usable_stays_as_it_is():
    given_one = np.diag([1.0, 2.0, 1e8, 1e-4, 1e-4, 1e-5])
    given_one[0, 5] = given_one[5, 0] = 1e-3
    assert definite(given_one) == pytest.approx(given_one, rel=1e-9)


def test_a_number_that_is_not_one_makes_its_axis_unknown_and_no_other():
    broken = np.eye(6)
    broken[1, 4] = np.nan
    found = definite(broken)
    assert found[0, 0] == pytest.approx(1.0)
    assert found[1, 1] > 1e10
    assert found[4, 4] > 1e10


def test_an_attitude_error_moves_the_ground_as_the_rotated_ray_does():
    h, o = SHARP.height_agl_m, np.array(SHARP.offset_m)
    ray = np.array([*o, -h])
    tiny = 1e-5
    moved = np.zeros((2, 2))
    for axis in range(2):
        turn = rotation_from_rpy(tiny * (axis == 0), tiny * (axis == 1), 0.0)
        # the published rotation is `turn` times the true one: the true ray is turned back
        true = turn.T @ ray
        moved[:, axis] = (true[:2] * h / -true[2] - o) / tiny
    found = covariance(SHARP, replace(NOTHING, attitude_rad=0.01), KNOWN)
    assert found[:2, :2] == pytest.approx(0.01**2 * moved @ moved.T, rel=1e-3)
    assert found[:2, 3:5] == pytest.approx(0.01**2 * moved, rel=1e-3)


def test_over_nadir_an_attitude_error_is_itself_times_the_height():
    level = replace(SHARP, offset_m=(0.0, 0.0))
    found = covariance(level, replace(NOTHING, attitude_rad=0.01), KNOWN)
    assert found[:2, :2] == pytest.approx(np.eye(2), rel=1e-6, abs=1e-6)


def test_a_heading_error_moves_the_position_across_the_lever_arm():
    found = covariance(SHARP, replace(NOTHING, heading_floor_rad=0.01), KNOWN)
    across = np.array([SHARP.offset_m[1], -SHARP.offset_m[0]])
    assert found[:2, :2] == pytest.approx(1e-4 * np.outer(across, across), rel=1e-3, abs=1e-6)
    assert found[:2, 5] == pytest.approx(1e-4 * across, rel=1e-3)


def test_a_height_error_moves_the_position_along_the_lever_arm():
    found = covariance(SHARP, replace(NOTHING, scale_floor=0.02), KNOWN)
    along = np.array(SHARP.offset_m)
    assert found[:2, :2] == pytest.approx(4e-4 * np.outer(along, along), rel=1e-3, abs=1e-6)
    assert height_sigma_m(SHARP, replace(NOTHING, scale_floor=0.02)) == pytest.approx(2.0, rel=1e-3)


def test_of_an_error_of_the_scale_a_share_moves_the_place_and_all_of_it_the_height():
    model = replace(NOTHING, scale_floor=0.02)
    whole, part = (covariance(SHARP, replace(model, scale_share=share), KNOWN) for share in (1.0, 0.25))
    assert part[:2, :2] == pytest.approx(whole[:2, :2] / 16, rel=1e-3, abs=1e-6)
    assert height_sigma_m(SHARP, replace(model, scale_share=0.25)) == pytest.approx(2.0, rel=1e-3)


def test_what_shadows_pulled_is_uncertain_along_the_pull_alone():
    found = covariance(replace(SHARP, pull_m=(3.0, -4.0)), replace(NOTHING, pull=0.5), KNOWN)
    assert found[:2, :2] == pytest.approx(np.array([[2.25, -3.0], [-3.0, 4.0]]), rel=1e-6, abs=1e-6)


def test_a_straight_road_fixes_one_direction_only():
    road = replace(SHARP, sharpness=np.diag([0.0, 1.0]), offset_m=(0.0, 0.0))
    found = covariance(road, replace(NOTHING, alignment=5.0), KNOWN)
    assert math.sqrt(found[0, 0]) == pytest.approx(SEARCHED_M, rel=1e-3)
    assert math.sqrt(found[1, 1]) == pytest.approx(0.5, rel=1e-3)


def test_a_match_that_stands_out_twice_as_far_is_twice_as_sure():
    model = replace(NOTHING, alignment=5.0)
    once = covariance(replace(SHARP, offset_m=(0.0, 0.0)), model, KNOWN)
    twice = covariance(replace(SHARP, offset_m=(0.0, 0.0), significance=20.0), model, KNOWN)
    assert once[0, 0] == pytest.approx(4 * twice[0, 0], rel=1e-2)


def test_the_maps_own_error_is_added_per_axis():
    without, with_it = (covariance(SHARP, MODEL, replace(KNOWN, map_sigma_m=m)) for m in (0.0, 5.0))
    assert (with_it - without)[:2, :2] == pytest.approx(25.0 * np.eye(2), rel=1e-6)


def test_what_is_unknown_has_a_large_variance():
    found = covariance(SHARP, MODEL, Known(attitude=False, altitude=False))
    assert found[2, 2] == pytest.approx(UNKNOWN_ALTITUDE_SIGMA_M**2)
    assert found[3, 3] == pytest.approx(LEVEL_SIGMA_RAD**2)
    assert found[:2, 3:5] == pytest.approx(np.zeros((2, 2)), abs=1e-6)


def test_the_altitude_over_a_slope_errs_with_the_matched_ground_and_with_the_scale():
    """Of c - (1 + s) o and T(c) + (1 + s) h, with T rising by 20 % eastwards and by 10 % southwards."""
    rng = np.random.default_rng(0)
    model = replace(NOTHING, residual_m=2.0, scale_floor=0.02)
    measured, known = replace(SHARP, slope=(0.2, -0.1)), Known(attitude=True, altitude=True, terrain_sigma_m=1.5)
    c, s, t = rng.normal(0, 2.0, (200_000, 2)), rng.normal(0, 0.02, (200_000, 1)), rng.normal(0, 1.5, 200_000)
    vehicle = c - s * np.array(SHARP.offset_m)
    altitude = c @ [0.2, -0.1] + s[:, 0] * SHARP.height_agl_m + t
    expected = np.cov(np.column_stack([vehicle, altitude]).T)
    assert covariance(measured, model, known)[:3, :3] == pytest.approx(expected, abs=0.05)


def test_without_a_terrain_the_altitude_stands_alone():
    found = covariance(SHARP, MODEL, KNOWN)
    assert found[2, 2] == pytest.approx(100.0)
    assert np.delete(found[2], 2) == pytest.approx(0.0, abs=1e-9)
