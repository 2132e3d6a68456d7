"""The histogram filter: probability is conserved, moves with odometry, and concentrates on repeated evidence."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mift_ros.localization.belief import Belief, kernel_of

STRIDE_M = 20.0


@pytest.fixture
def belief():
    return Belief(west_m=0.0, north_m=0.0, rows=30, cols=40, stride_m=STRIDE_M, outside=0.1)


def likelihood_at(row, col, ratio=50.0):
    grid = np.ones((30, 40), np.float32)
    grid[row, col] = ratio
    return grid


def total(belief):
    return belief.cells.sum() + belief.outside


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-300, 300), st.floats(-300, 300), st.floats(0, 200)), max_size=6), st.integers(0, 29)
)
def test_probability_is_conserved_and_never_negative(moves, row):
    belief = Belief(0.0, 0.0, 30, 40, STRIDE_M, 0.1)
    for east, north, sigma in moves:
        belief.predict((east, north), sigma)
        belief.update(likelihood_at(row, 5), (0, 0))
        assert total(belief) == pytest.approx(1)
        assert belief.cells.min() >= 0


def test_evidence_at_a_cell_puts_the_mass_there(belief):
    for _ in range(4):
        belief.update(likelihood_at(10, 7), (0, 0))
    assert belief.mass_within(7 * STRIDE_M, -10 * STRIDE_M, STRIDE_M) > 0.99


def test_the_belief_moves_with_odometry_by_metres_not_by_cells(belief):
    for _ in range(4):
        belief.update(likelihood_at(10, 7), (0, 0))
    for _ in range(12):
        belief.predict((7.0, 3.0), 0.0)
    assert belief.likeliest_m() == pytest.approx((7 * STRIDE_M + 84, -10 * STRIDE_M + 36), abs=1e-6)


def test_a_camera_that_looks_ahead_places_the_vehicle_behind_its_patch(belief):
    for _ in range(4):
        belief.update(likelihood_at(10, 7), (2 * STRIDE_M, 0))
    assert belief.mass_within(5 * STRIDE_M, -10 * STRIDE_M, STRIDE_M) > 0.9


def test_without_evidence_the_mass_spreads(belief):
    belief.concentrate(400.0, -300.0, 10.0)
    before = belief.mass_within(400.0, -300.0, 40.0)
    belief.predict((0, 0), 60.0)
    assert belief.mass_within(400.0, -300.0, 40.0) < 0.7 * before


@given(st.floats(0.0, 8.0))
def test_an_error_widens_the_belief_by_its_variance_however_small_it_is(sigma):
    kernel = kernel_of(sigma).ravel()
    places = np.arange(len(kernel)) - len(kernel) // 2
    assert kernel.min() >= 0.0
    assert kernel.sum() == pytest.approx(1.0)
    assert kernel @ places**2 == pytest.approx(sigma**2, rel=0.03, abs=1e-9)


def test_small_steps_add_up(belief):
    belief.concentrate(400.0, -300.0, 10.0)
    before = belief.mass_within(400.0, -300.0, 40.0)
    for _ in range(20):
        belief.predict((0.0, 0.0), 0.25 * STRIDE_M)
    spread = belief.mass_within(400.0, -300.0, 40.0) / 0.98**20  # 2 % are redrawn anywhere at each step
    assert spread < 0.8 * before


def test_one_wrong_tile_does_not_move_a_sure_belief(belief):
    for _ in range(6):
        belief.update(likelihood_at(10, 7), (0, 0))
    belief.predict((0, 0), 5.0)
    belief.update(likelihood_at(25, 30), (0, 0))
    assert belief.mass_within(7 * STRIDE_M, -10 * STRIDE_M, 2 * STRIDE_M) > 0.8


def test_repeated_evidence_elsewhere_does(belief):
    for _ in range(6):
        belief.update(likelihood_at(10, 7), (0, 0))
    for _ in range(8):
        belief.predict((0, 0), 5.0)
        belief.update(likelihood_at(25, 30), (0, 0))
    assert belief.mass_within(30 * STRIDE_M, -25 * STRIDE_M, 2 * STRIDE_M) > 0.8


def test_points_are_looked_up_in_their_cells(belief):
    belief.concentrate(140.0, -200.0, 1.0)
    found = belief.at(np.array([[140.0, -200.0], [400.0, -400.0], [-100.0, 0.0]]))
    assert found[0] > 0.5
    assert found[2] == 0


def test_leaving_the_map_moves_the_mass_outside(belief):
    belief.concentrate(40.0, -300.0, 10.0)
    belief.predict((-500.0, 0.0), 10.0)
    assert belief.outside > 0.8
