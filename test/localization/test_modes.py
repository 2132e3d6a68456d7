"""Several places at once, each with its evidence: weak matches that agree make a sure place, wrong ones do not."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mift_ros.localization.modes import KEPT, Modes, Sighting, log_factor
from mift_ros.localization.motion import Motion

GROUND_M = 36.0
ONE_IN = 1000.0
SURE = 1.0 - 1.0 / ONE_IN
WEAK = 0.004
"""A match such as wrong ones give in one frame of 250."""


@pytest.fixture
def modes():
    return Modes(max_speed_mps=30.0, ground_m=GROUND_M, one_in=ONE_IN)


def sighting(east, north, share=WEAK, heading=90.0, height=100.0):
    return Sighting((east, north), heading, height, share, share)


def moved(east, north, elapsed_s=1.0, turn_deg=0.0, growth=1.0):
    return Motion(elapsed_s, (east, north), 2.0, turn_deg, 0.1, growth, 0.2)


def unmeasured(elapsed_s=1.0):
    return Motion(elapsed_s, None, 0.0, 0.0, 20.0 * elapsed_s, 1.0, 2.0)


def fly(modes, frames, step_m=GROUND_M, share=WEAK):
    for k in range(frames):
        modes.predict(moved(step_m if k else 0.0, 0.0))
        supports = modes.update([sighting(step_m * k, 0.0, share)])
    return supports[0]


def test_the_factor_of_a_wrong_match_is_one_on_average():
    shares = (np.arange(200_000) + 0.5) / 200_000
    assert np.mean([math.exp(log_factor(p)) for p in shares]) == pytest.approx(1.0, abs=0.01)


def test_one_weak_match_is_not_sure_and_several_that_agree_are(modes):
    assert fly(modes, 1).after < 0.95
    modes.clear()
    support = fly(modes, 5)
    assert support.after > SURE
    assert support.before > 0.95


def test_the_same_ground_again_and_again_says_nothing_new(modes):
    assert fly(modes, 30, step_m=0.0).after < 0.95


@pytest.mark.parametrize("odometry_noise_m", [0.05, None])
def test_a_vehicle_that_hovers_over_a_wrong_match_never_becomes_sure(modes, odometry_noise_m):
    rng = np.random.default_rng(0)
    for _ in range(6000):
        motion = unmeasured(0.2) if odometry_noise_m is None else moved(*rng.normal(0.0, odometry_noise_m, 2), 0.2)
        modes.predict(motion)
        supports = modes.update([sighting(*rng.normal(0.0, 0.7, 2))])
    assert supports[0].after < 0.95


def test_a_vehicle_that_circles_over_a_wrong_match_gains_one_lap(modes):
    after = []
    for k in range(400):
        place = (15.0 * math.cos(0.2 * k), 15.0 * math.sin(0.2 * k))
        before = (15.0 * math.cos(0.2 * (k - 1)), 15.0 * math.sin(0.2 * (k - 1)))
        modes.predict(moved(place[0] - before[0], place[1] - before[1]))
        after.append(modes.update([sighting(*place)])[0].after)
    assert after[-1] == pytest.approx(after[40], abs=1e-6)


def test_ground_seen_before_makes_good_what_frames_without_a_match_took(modes):
    sure = fly(modes, 6).after
    modes.predict(moved(0.0, 0.0))
    modes.update([])
    doubted = modes.probability(modes.first)
    for k in (4, 3, 2, 1, 0):  # back the way it came
        modes.predict(moved(-GROUND_M, 0.0))
        support = modes.update([sighting(GROUND_M * k, 0.0)])[0]
    assert doubted < support.after <= sure


def test_frames_that_overlap_count_by_the_ground_that_is_new(modes):
    close = fly(modes, 5, step_m=GROUND_M / 6).after
    modes.clear()
    assert close < 0.99 < fly(modes, 5).after


def test_matches_here_and_there_make_no_place_sure(modes):
    rng = np.random.default_rng(0)
    for _ in range(40):
        modes.predict(moved(GROUND_M, 0.0))
        places = rng.uniform(-2000, 2000, (8, 2))
        supports = modes.update([sighting(e, n, share) for (e, n), share in zip(places, rng.uniform(0, 1, 8))])
        assert max(s.after for s in supports) < SURE


def test_wrong_matches_where_a_mode_expects_them_end_it_more_often_than_they_feed_it(modes):
    rng = np.random.default_rng(1)
    sure = 0
    for _ in range(300):
        modes.clear()
        modes.update([sighting(0.0, 0.0, share=rng.uniform())])
        for k in range(1, 6):
            modes.predict(moved(GROUND_M, 0.0))
            sure += modes.update([sighting(GROUND_M * k, 0.0, share=rng.uniform())])[0].after >= SURE
    assert sure <= 3


def test_a_sure_place_is_doubted_after_two_frames_that_do_not_show_it(modes):
    fly(modes, 12)
    for _ in range(2):
        modes.predict(moved(GROUND_M, 0.0))
        modes.update([])
    assert modes.probability(modes.first) < SURE


def test_two_places_that_look_alike_stay_two_until_one_is_not_seen_again(modes):
    for k in range(5):
        modes.predict(moved(GROUND_M, 0.0))
        both = modes.update([sighting(GROUND_M * k, 0.0), sighting(GROUND_M * k, 500.0)])
    assert all(0.4 < support.after < 0.6 for support in both)
    modes.predict(moved(GROUND_M, 0.0))
    modes.update([sighting(GROUND_M * 5, 500.0)])
    assert modes.first.position_m == pytest.approx((GROUND_M * 5, 500.0), abs=5.0)
    assert modes.probability(modes.first) > 0.95


def test_a_match_that_is_turned_otherwise_belongs_to_another_place(modes):
    modes.update([sighting(0.0, 0.0, heading=90.0)])
    modes.predict(moved(10.0, 0.0))
    assert modes.update([sighting(10.0, 0.0, heading=180.0)])[0].before == 0.0


def test_a_turn_is_followed(modes):
    modes.update([sighting(0.0, 0.0, heading=350.0)])
    modes.predict(moved(10.0, 0.0, turn_deg=30.0))
    assert modes.update([sighting(10.0, 0.0, heading=20.0)])[0].before > 0.0
    assert modes.first.heading_deg == pytest.approx(20.0, abs=1.0)


def test_the_heading_becomes_surer_than_one_match_and_looser_with_time(modes):
    fly(modes, 6)
    sure_deg = modes.first.heading_sigma_deg
    assert sure_deg < 1.5
    modes.predict(unmeasured())
    assert modes.first.heading_sigma_deg > 10.0


def test_the_height_follows_the_climb(modes):
    modes.update([sighting(0.0, 0.0, height=100.0)])
    modes.predict(moved(10.0, 0.0, growth=1.1))
    assert modes.first.height_agl_m == pytest.approx(110.0)


def test_without_odometry_the_speed_is_learnt_from_the_matches(modes):
    for k in range(6):
        modes.predict(unmeasured())
        modes.update([sighting(12.0 * k, 0.0)])
    modes.predict(unmeasured())
    assert modes.first.position_m == pytest.approx((72.0, 0.0), abs=3.0)
    assert modes.first.sigma_m < 12.0


def test_a_gap_of_ten_seconds_without_odometry_widens_the_place(modes):
    fly(modes, 5)
    modes.predict(unmeasured(10.0))
    assert 20.0 < modes.first.sigma_m < 150.0


def test_a_place_that_nobody_sees_for_long_is_forgotten(modes):
    fly(modes, 5)
    modes.predict(unmeasured(60.0))
    assert modes.all == []


def test_after_a_jump_the_new_place_wins_within_ten_frames(modes):
    fly(modes, 12)
    for k in range(10):
        modes.predict(moved(GROUND_M / 3, 0.0))
        support = modes.update([sighting(3000.0 + GROUND_M / 3 * k, 0.0, share=1e-5)])[0]
    assert support.after > SURE


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(-500, 500), st.floats(0.01, 100), st.booleans(),
            st.lists(st.tuples(st.floats(-3000, 3000), st.floats(0, 2), st.floats(0, 360)), max_size=12),
        ),
        max_size=8,
    )
)  # fmt: skip
@example(frames=[(0.0, 1.0, False, [(0.0, 0.0, 0.0), (0.0, 0.0, 0.0)])])  # the second is absorbed by the first
def test_modes_stay_few_finite_and_probable(frames):
    modes = Modes(30.0, GROUND_M, ONE_IN)
    for shift, elapsed_s, odometry, seen in frames:
        modes.predict(moved(shift, shift, elapsed_s) if odometry else unmeasured(elapsed_s))
        supports = modes.update([sighting(east, -east, share, heading) for east, share, heading in seen])
        assert len(modes.all) <= KEPT
        assert all(0.0 <= s.before <= 1.0 and 0.0 <= s.after <= 1.0 for s in supports)
        assert sum(modes.probability(mode) for mode in modes.all) <= 1.0 + 1e-9
        for mode in modes.all:
            assert np.isfinite(mode.state).all()
            assert np.linalg.eigvalsh(mode.spread).min() > -1e-6


def test_a_place_that_missed_before_is_no_worse_than_a_new_one(modes):
    modes.update([sighting(0.0, 0.0)])
    for _ in range(2):
        modes.predict(moved(0.0, 0.0))
        modes.update([])
    clear = sighting(0.0, 0.0, share=1e-4)
    after = modes.update([clear])[0].after
    modes.clear()
    assert after == pytest.approx(modes.update([clear])[0].after)
