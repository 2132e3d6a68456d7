"""What is carried between frames: which headings to try, what is new, when everything starts again."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from mift_ros.localization.belief import Belief
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.hypotheses import Outlook, headings_deg, heights_m
from mift_ros.localization.modes import Sighting
from mift_ros.localization.tracking import DOUBT_AFTER, Tracker
from mift_ros.localization.types import Reason, Telemetry

TILE_M = 72.0
KNOWN = Telemetry(0.0, 0.0, math.nan, 100.0, gyro_heading_deg=40.0)
FLAT = np.ones((20, 20), np.float32)
SURE_MATCH = Sighting((200.0, -200.0), 130.0, 110.0, 1e-8, 1e-8)


@pytest.fixture
def tracker():
    return Tracker(Belief(0.0, 0.0, 20, 20, 24.0, 0.1), TILE_M, LocalizerConfig())


def step(tracker, second, sightings=(), telemetry=KNOWN):
    tracker.predict(second * 10**9, telemetry)
    return tracker.update(FLAT, (0.0, 0.0), list(sightings))


def test_nothing_is_expected_at_the_start(tracker):
    assert tracker.outlook() is None
    assert not tracker.followed


def test_a_sure_match_says_which_heading_and_height_to_try_next(tracker):
    step(tracker, 1, [SURE_MATCH])
    tracker.predict(2 * 10**9, replace(KNOWN, gyro_heading_deg=60.0))
    outlook = tracker.outlook()
    assert outlook.heading_deg == pytest.approx(150.0)
    assert outlook.height_agl_m == pytest.approx(110.0)


def test_the_heading_of_the_last_sure_fix_outlives_its_place(tracker):
    step(tracker, 1, [SURE_MATCH])
    tracker.fixed(10**9, SURE_MATCH.position_m, 5.0, 1.0)
    for second in range(2, 7):
        step(tracker, second, telemetry=replace(KNOWN, gyro_heading_deg=40.0 + second))
    assert tracker.modes.first is None or tracker.modes.probability(tracker.modes.first) < 0.5
    assert tracker.outlook().heading_deg == pytest.approx(136.0)
    tracker.predict(40 * 10**9, KNOWN)
    assert tracker.outlook() is None


def test_a_match_that_chance_could_give_narrows_nothing(tracker):
    step(tracker, 1, [SURE_MATCH._replace(share_here=0.5, share_anywhere=0.5)])
    assert tracker.outlook() is None


def test_after_many_frames_without_a_fix_what_is_known_is_doubted_now_and_then(tracker):
    doubts = []
    for _ in range(4 * DOUBT_AFTER):
        tracker.missed()
        doubts.append(tracker.doubted)
    assert not any(doubts[: DOUBT_AFTER - 1])
    assert any(doubts)
    assert not all(doubts[DOUBT_AFTER:])


def test_a_match_raises_the_belief_at_its_place(tracker):
    before = tracker.belief.mass_within(200.0, -200.0, 30.0)
    step(tracker, 1, [SURE_MATCH])
    assert tracker.belief.mass_within(200.0, -200.0, 30.0) > 5 * before


def test_a_vehicle_that_stands_learns_nothing_from_the_same_tiles(tracker):
    scores = np.ones((20, 20), np.float32)
    scores[5, 5] = 20.0
    here = replace(KNOWN, odometry_enu_m=(0.0, 0.0))
    masses = []
    for second in range(8):
        tracker.predict(second * 10**9, here)
        tracker.update(scores, (0.0, 0.0), [])
        masses.append(tracker.belief.mass_within(5 * 24.0, -5 * 24.0, 24.0))
    assert max(masses[1:]) <= masses[0]


def test_lost_for_long_the_belief_starts_again(tracker):
    step(tracker, 1, [SURE_MATCH])
    tracker.fixed(10**9, SURE_MATCH.position_m, 5.0, 1.0)
    assert tracker.followed
    tracker.predict(40 * 10**9, KNOWN)
    assert not tracker.followed


def test_frames_that_come_late_are_stale_and_a_clock_set_back_starts_again(tracker):
    step(tracker, 100, [SURE_MATCH])
    assert tracker.check_time(100 * 10**9).reason is Reason.STALE
    assert tracker.check_time(99 * 10**9).reason is Reason.STALE
    assert tracker.check_time(10 * 10**9) is None
    assert tracker.outlook() is None


def test_a_bag_played_in_a_loop_starts_again_after_a_few_frames(tracker):
    for second in range(100, 110):
        step(tracker, second)
    refusals = [tracker.check_time(second * 10**9) for second in range(100, 105)]
    assert [refusal is None for refusal in refusals] == [False] * 4 + [True]
    assert tracker.check_time(105 * 10**9) is None


def test_frames_that_come_late_among_others_never_start_again(tracker):
    step(tracker, 99)
    for second in range(100, 130):
        assert tracker.check_time(second * 10**9) is None
        step(tracker, second)
        assert tracker.check_time((second - 5) * 10**9).reason is Reason.STALE
        assert tracker.check_time(second * 10**9).reason is Reason.STALE


def test_a_prior_that_is_told_again_and_again_counts_once(tracker):
    tracker.predict(0, KNOWN)
    tracker.told((200.0, -200.0), 50.0)
    once = tracker.belief.mass_within(300.0, -200.0, 30.0)
    for _ in range(20):
        tracker.told((200.0, -200.0), 50.0)
    assert tracker.belief.mass_within(300.0, -200.0, 30.0) == once
    tracker.told((400.0, -200.0), 10.0)
    assert tracker.belief.mass_within(400.0, -200.0, 48.0) > 0.5


UNKNOWN = Telemetry(0.0, 0.0)
CONFIG = LocalizerConfig(yaw_bins=36, heading_tolerance_deg=8.0, scale_bins=7)


def test_an_unknown_heading_costs_all_bins_only_until_the_flight_knows_it():
    assert len(headings_deg(UNKNOWN, CONFIG)[0]) == 36
    assert headings_deg(UNKNOWN, CONFIG, Outlook(123.0, 2.0, 100.0, 1.0)) == ([123.0], 8.0)
    headings, step_deg = headings_deg(UNKNOWN, CONFIG, Outlook(5.0, 8.0, 100.0, 1.0))
    assert headings == [345.0, 355.0, 5.0, 15.0, 25.0]
    assert step_deg == 6.0
    assert len(headings_deg(UNKNOWN, CONFIG, Outlook(123.0, 70.0, 100.0, 1.0))[0]) == 36


@pytest.mark.parametrize(("bins", "reach_deg"), [(36, 6.0), (18, 20 / 3), (8, 15.0)])
def test_the_refinement_is_left_a_third_of_the_spacing_of_the_headings_and_no_less_than_is_found(bins, reach_deg):
    headings, left_deg = headings_deg(UNKNOWN, replace(CONFIG, yaw_bins=bins))
    assert len(headings) == bins
    assert left_deg == pytest.approx(reach_deg)


def test_a_known_heading_is_used_whatever_the_flight_says():
    known = replace(UNKNOWN, heading_deg=100.0)
    assert headings_deg(known, CONFIG, Outlook(120.0, 1.0, 100.0, 1.0))[0] == [100.0]


def test_an_unknown_height_costs_all_bins_only_until_the_flight_knows_it():
    assert len(heights_m(UNKNOWN, CONFIG)[0]) == 7
    assert heights_m(UNKNOWN, CONFIG, Outlook(0.0, 1.0, 90.0, 2.0))[0] == [90.0]
    assert len(heights_m(UNKNOWN, CONFIG, Outlook(0.0, 1.0, 90.0, 20.0))[0]) == 7


def test_a_height_known_to_a_fifth_is_tried_in_steps_that_an_alignment_bears():
    known = replace(UNKNOWN, height_agl_m=100.0)
    heights, reach = heights_m(known, LocalizerConfig(scale_tolerance=0.2))
    assert heights[0] / (1 + reach) == pytest.approx(100.0 / 1.2)
    assert heights[-1] * (1 + reach) == pytest.approx(100.0 * 1.2)
    assert reach <= 0.1
    assert all(b / a <= (1 + reach) ** 2 + 1e-9 for a, b in pairwise(heights))
