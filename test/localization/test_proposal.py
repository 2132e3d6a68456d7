"""Which tiles are verified: by weight, each with its best pose."""

import numpy as np
import pytest

from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.hypotheses import make_hypotheses
from mift_ros.localization.proposal import best_tiles
from mift_ros.localization.search import Scores

TILES = 60
CENTRES_M = np.stack([np.arange(TILES) * 10.0, np.zeros(TILES)], axis=1)


@pytest.fixture(scope="module")
def hypotheses(town):
    """Of a frame, by how many headings are tried."""
    frame, telemetry = town.shoot(0.0, 0.0, 30.0)
    manifest = town.cache.manifest

    def make(headings):
        config = LocalizerConfig(use_heading=headings == 1, yaw_bins=headings)
        return make_hypotheses(frame, telemetry, config, manifest.tile_size_m, manifest.input_size)

    return make


def chosen(made, weight, count):
    pose = np.arange(TILES) % len(made.poses)
    return best_tiles(made, Scores(np.zeros(TILES, np.float32), pose), weight, CENTRES_M, count)


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
