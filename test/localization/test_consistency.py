"""Fixes that jump against the odometry by more than their covariances allow get wider ones; all others stay."""

import math
from dataclasses import replace

import numpy as np
import pytest

from mift_ros.localization.consistency import KEPT, LEAST, Consistency
from mift_ros.localization.types import Fix

SIGMA_M = 2.0
STEP_M = 12.0
UNKNOWN = (math.nan, math.nan)
COVARIANCE = np.diag([SIGMA_M**2, SIGMA_M**2, 100.0, 1e-4, 1e-4, 1e-4])
COVARIANCE[0, 4] = COVARIANCE[4, 0] = 0.01


def fix_at(east_m, north_m=0.0):
    nan = math.nan
    return Fix(
        0, nan, nan, nan, nan, (nan,) * 4, COVARIANCE, True, (float(east_m), float(north_m)), 0.3, 3.0, 1, nan
    )  # fmt: skip


def flown(errors_m, odometry=lambda k: (STEP_M * k, 0.0)):
    """The covariances of a flight eastwards whose fixes err by `errors_m` [N, 2]."""
    judge = Consistency(odometry_sigma=0.01)
    return [judge.widened(fix_at(STEP_M * k + e, n), odometry(k)).covariance for k, (e, n) in enumerate(errors_m)]


def test_right_covariances_are_seldom_widened_and_then_by_little():
    errors = np.random.default_rng(0).normal(0.0, SIGMA_M, (600, 2))
    width = np.array([cov[0, 0] / SIGMA_M**2 for cov in flown(errors)])
    assert width.min() == 1.0
    assert width.mean() < 1.5


def test_errors_three_times_as_large_as_told_are_told_as_large_as_they_are():
    errors = np.random.default_rng(1).normal(0.0, 3.0 * SIGMA_M, (600, 2))
    nees = [float(e @ np.linalg.solve(cov[:2, :2], e)) / 2.0 for e, cov in zip(errors, flown(errors))]
    assert np.mean(nees[LEAST:]) == pytest.approx(1.6, abs=0.6)


def test_an_error_that_all_fixes_share_leaves_no_trace():
    assert flown([(9.0, -7.0)] * 20)[-1] == pytest.approx(COVARIANCE)


def test_one_jump_of_the_odometry_widens_nothing():
    found = flown([(0.0, 0.0)] * 20, lambda k: (STEP_M * k + 150.0 * (k >= 8), 0.0))
    assert all((cov == COVARIANCE).all() for cov in found)


@pytest.mark.parametrize("known", [lambda k: UNKNOWN, lambda k: (0.0, 0.0) if k < LEAST else UNKNOWN])
def test_without_odometry_the_covariance_stays(known):
    assert all((cov == COVARIANCE).all() for cov in flown([(50.0 * (-1) ** k, 0.0) for k in range(20)], known))


def test_it_widens_over_east_and_north_and_keeps_the_correlations():
    found = flown([(20.0 * (-1) ** k, 0.0) for k in range(KEPT + 1)])[-1]
    size = np.sqrt(np.diag(found))
    assert size[0] > 2.0 * SIGMA_M
    assert size[2:] == pytest.approx(np.sqrt(np.diag(COVARIANCE))[2:])
    assert found[0, 4] / (size[0] * size[4]) == pytest.approx(0.01 / (SIGMA_M * 0.01))
    np.linalg.cholesky(found)


def test_a_flight_that_was_forgotten_is_not_held_against_the_next():
    judge = Consistency(odometry_sigma=0.01)
    for k in range(10):
        judge.widened(fix_at(STEP_M * k + 20.0 * (-1) ** k), (STEP_M * k, 0.0))
    judge.reset()
    assert (judge.widened(fix_at(0.0), (0.0, 0.0)).covariance == COVARIANCE).all()
    assert judge.widened(replace(fix_at(900.0), stamp_ns=1), (0.0, 0.0)).covariance[0, 0] == SIGMA_M**2
