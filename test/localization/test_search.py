"""Looks vote, and per tile the poses together."""

import numpy as np
import pytest

from mift_ros.localization import search
from mift_ros.localization.hypotheses import Hypothesis

POSES = ((0.0, 1.0), (90.0, 0.2), (180.0, 1.0))
"""Heading and coverage."""


@pytest.fixture
def vote():
    cells = np.array([(r, c) for r in range(6) for c in range(8) if (r, c) != (0, 0)], np.int32)
    return search.TileVote(cells, rows=6, cols=8, stride_m=10.0), cells


def at(cells, row, col):
    return int(np.flatnonzero((cells == (row, col)).all(axis=1))[0])


def test_one_look_is_taken_as_it_is(vote):
    join, cells = vote
    scores = np.arange(len(cells), dtype=np.float32)[None]
    assert np.array_equal(join(scores, np.zeros((1, 2))), scores[0])


def test_looks_agree_on_the_tile_that_their_shifts_point_to(vote):
    join, cells = vote
    looks = np.zeros((2, len(cells)), np.float32)
    looks[0, at(cells, 3, 4)] = 1.0  # the view's centre
    looks[1, at(cells, 1, 6)] = 1.0  # 20 m east and 20 m north of it
    joint = join(looks, np.array([[0.0, 0.0], [20.0, 20.0]]))
    assert int(joint.argmax()) == at(cells, 3, 4)
    assert joint.max() == pytest.approx(1.0)


def test_a_look_beyond_the_map_says_nothing(vote):
    join, cells = vote
    looks = np.full((2, len(cells)), 0.3, np.float32)
    assert join(looks, np.array([[0.0, 0.0], [500.0, 0.0]])) == pytest.approx(0.3)


def test_a_pose_that_resembles_all_tiles_does_not_hide_the_one_that_stands_out():
    scores = np.random.default_rng(2).normal(0.0, 0.05, (2, 400)).astype(np.float32)
    scores[0, 7] = 0.3  # six sigma: the place
    scores[1] = 2.0 * scores[1] + 0.5  # a wrong heading, whose patch is like everything
    assert int(scores.max(axis=0).argmax()) != 7
    alike = search.comparable(scores)
    assert int(alike.max(axis=0).argmax()) == 7 and int(alike[:, 7].argmax()) == 0


def test_poses_made_comparable_keep_their_order_and_share_their_mean_and_spread():
    scores = np.random.default_rng(3).normal([[0.1], [0.4]], [[0.02], [0.1]], (2, 500)).astype(np.float32)
    alike = search.comparable(scores)
    assert np.array_equal(alike.argsort(axis=1), scores.argsort(axis=1))
    assert alike.mean(axis=1) == pytest.approx(scores.mean(), abs=1e-4)
    assert alike.std(axis=1) == pytest.approx(scores.std(axis=1).mean(), abs=1e-4)


def test_the_scores_of_a_single_pose_stay_cosines():
    scores = np.random.default_rng(4).normal(0.2, 0.1, (1, 300)).astype(np.float32)
    assert search.comparable(scores) == pytest.approx(scores, abs=1e-5)


def test_poses_over_featureless_ground_and_over_few_tiles_stay_finite():
    level = np.full((2, 200), 0.3, np.float32)
    assert search.comparable(level) == pytest.approx(0.3)
    few = np.array([[0.1, 0.9], [0.2, 0.3]], np.float32)
    assert np.array_equal(search.comparable(few), few)


def test_the_pose_that_fits_a_tile_best_is_told_by_its_number(vote):
    join, cells = vote
    shift = np.zeros((1, 2))
    poses = [Hypothesis(0, heading, slice(k, k + 1), shift, cover) for k, (heading, cover) in enumerate(POSES)]
    cosine = np.zeros((3, len(cells)), np.float32)
    cosine[0, 5], cosine[1, 6], cosine[2, 4] = 0.9, 0.9, 0.5
    found = search.over_poses(cosine, poses, join, min_coverage=0.5)
    assert found.pose[4] == 2 and found.pose[5] == 0
    assert found.joint[5] > found.joint[4] > found.joint[0]
    assert found.joint[6] == 0.0, "a pose of which too little is seen says nothing"


def test_a_tile_scores_the_mean_likelihood_of_its_poses():
    scores = np.random.default_rng(5).normal(0.2, 0.1, (18, 50)).astype(np.float32)
    likelihood = np.exp(scores.astype(np.float64) / search.POSE_TEMPERATURE).mean(axis=0)
    assert search.together(scores) == pytest.approx(search.POSE_TEMPERATURE * np.log(likelihood), abs=1e-5)


def test_a_tile_that_resembles_neighbouring_headings_too_is_ahead_of_one_that_fits_a_single_one_by_chance():
    scores = np.zeros((18, 2), np.float32)
    scores[3:6, 0] = 0.4, 0.5, 0.4
    scores[9, 1] = 0.51
    assert search.together(scores).argmax() == 0


def test_a_single_pose_keeps_its_scores_bit_for_bit():
    scores = np.random.default_rng(6).normal(0.2, 0.1, (1, 300)).astype(np.float32)
    assert np.array_equal(search.together(scores), scores[0])


def test_scores_far_apart_stay_finite():
    scores = np.array([[1.0, -1.0], [-1.0, 1.0]], np.float32)
    assert np.isfinite(search.together(scores)).all()


def test_looks_vote_alike_on_a_grid_with_and_without_gaps():
    cells = np.array([(r, c) for r in range(6) for c in range(8)], np.int32)
    looks = np.random.default_rng(7).normal(0.2, 0.1, (2, 48)).astype(np.float32)
    shifts = np.array([[0.0, 0.0], [10.0, -10.0]])
    full = search.TileVote(cells, 6, 8, 10.0)(looks, shifts)
    mixed = np.random.default_rng(8).permutation(48)
    assert search.TileVote(cells[mixed], 6, 8, 10.0)(looks[:, mixed], shifts) == pytest.approx(full[mixed], abs=1e-6)


def test_no_pose_seen_well_enough_scores_nothing(vote):
    join, cells = vote
    poses = [Hypothesis(0, 0.0, slice(0, 1), np.zeros((1, 2)), 0.2)]
    found = search.over_poses(np.ones((1, len(cells)), np.float32), poses, join, min_coverage=0.5)
    assert np.isneginf(found.joint).all()
