"""Which tiles are verified: by weight, each with its best pose."""

from dataclasses import replace

import numpy as np
import pytest

from mift_ros.geometry.frames import wrap_deg
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.hypotheses import make_hypotheses
from mift_ros.localization.proposal import best_tiles, heading_deg
from mift_ros.localization.search import Scores

TILES = 60
CENTRES_M = np.stack([np.arange(TILES) * 10.0, np.zeros(TILES)], axis=1)


@pytest.fixture(scope="module")
def hypotheses(town):
    """Of a frame, by how many headings and heights are tried."""
    frame, telemetry = town.shoot(0.0, 0.0, 30.0)
    manifest = town.cache.manifest

    def make(headings, heights=1):
        config = LocalizerConfig(use_heading=headings == 1, yaw_bins=headings, scale_tolerance=0.1 * heights)
        return make_hypotheses(frame, telemetry, config, manifest.tile_size_m, manifest.input_size)

    return make


def chosen(made, weight, count):
    pose = np.arange(TILES) % len(made.poses)
    return best_tiles(made, Scores(np.zeros(TILES, np.float32), pose, {}), weight, CENTRES_M, count)


def test_the_heaviest_tiles_come_first_each_with_its_own_pose(hypotheses):
    made = hypotheses(4)
    weight = np.zeros(TILES)
    weight[[7, 20, 33]] = 1.0, 3.0, 2.0
    found = chosen(made, weight, 10)
    assert [c.centre_m[0] for c in found] == [200.0, 330.0, 70.0]
    assert [c.heading_deg for c in found] == [made.poses[tile % 4].heading_deg for tile in (20, 33, 7)]


@pytest.mark.parametrize("headings", [1, 18])
def test_as_many_as_asked_for_are_verified_however_many_poses_are_tried(hypotheses, headings):
    assert len(chosen(hypotheses(headings), np.ones(TILES), 10)) == 10


def test_no_more_than_there_are(hypotheses):
    assert len(chosen(hypotheses(18), np.ones(TILES), 1000)) == TILES


def fitting(made, best_deg, bend=1e-4):
    """Scores of one tile that fall with the square of the distance from a heading, for the poses of the last view."""
    count = len(made.poses) // len(made.views)
    seen = range(len(made.poses) - count, len(made.poses))
    by_pose = {k: np.float32([-bend * wrap_deg(made.poses[k].heading_deg - best_deg) ** 2]) for k in seen}
    pose = max(by_pose, key=lambda k: by_pose[k][0])
    return Scores(by_pose[pose], np.array([pose]), by_pose)


@pytest.mark.parametrize("best_deg", [0.0, 3.0, 9.9, 10.1, 17.0, 123.0, 350.5, 357.0])
@pytest.mark.parametrize("heights", [1, 2])
def test_a_tiles_heading_lies_between_those_tried_where_their_scores_say(hypotheses, best_deg, heights):
    made = hypotheses(18, heights)
    found = heading_deg(made, fitting(made, best_deg), 0)
    assert abs(wrap_deg(found - best_deg)) <= 360 / 18 / 3 / 2 + 1e-3  # half of a third of the step


def test_headings_that_tell_nothing_leave_it_where_it_was_tried(hypotheses):
    one, all_round = hypotheses(1), hypotheses(18)
    assert heading_deg(one, fitting(one, 77.0), 0) == one.poses[0].heading_deg
    alike = fitting(all_round, 40.0, bend=0.0)
    assert heading_deg(all_round, alike, 0) == all_round.poses[int(alike.pose[0])].heading_deg


def test_a_heading_beside_one_whose_patch_was_not_covered_stays(hypotheses):
    made = hypotheses(18)
    scores = fitting(made, 47.0)
    beside = {k: v for k, v in scores.by_pose.items() if made.poses[k].heading_deg != 60.0}
    assert heading_deg(made, Scores(scores.joint, scores.pose, beside), 0) == 40.0


def test_the_outermost_of_a_few_headings_has_nothing_beside_it(hypotheses):
    made = hypotheses(18)
    few = replace(made, poses=made.poses[:5])
    assert [few.beside(k) is None for k in range(5)] == [True, False, False, False, True]
    assert few.beside(1) == (0, 2, pytest.approx(20.0))
    assert made.beside(0) == (17, 1, pytest.approx(20.0))
