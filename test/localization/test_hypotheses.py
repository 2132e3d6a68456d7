"""What is unknown becomes poses to try, each with the patches that it is searched by."""

from dataclasses import replace

import numpy as np
import pytest

from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.hypotheses import make_hypotheses

PLACE = (-60.0, 40.0, 30.0)


@pytest.fixture
def hypotheses(town, unknown):
    """Of one exposure over the town, what is named hidden, taken from `higher` times its height above ground."""

    def make(*hidden, looks=3, higher=1.0):
        frame, telemetry = town.shoot(*PLACE)
        telemetry = unknown(replace(telemetry, height_agl_m=higher * telemetry.height_agl_m), *hidden)
        m = town.cache.manifest
        return make_hypotheses(frame, telemetry, LocalizerConfig(looks=looks), m.tile_size_m, m.input_size)

    return make


def offsets_in_tiles(town, made):
    """Distance of each look of each pose from the centre of the view."""
    return [np.hypot(*pose.shifts_m.T) / town.cache.manifest.tile_size_m for pose in made.poses]


def test_a_known_heading_is_one_pose_of_overlapping_looks(town, hypotheses):
    made = hypotheses(higher=1.5)
    assert [pose.heading_deg for pose in made.poses] == [PLACE[2]]
    assert offsets_in_tiles(town, made)[0] == pytest.approx([0.0, 0.5, 0.5])
    assert len(made.patches) == 3


def test_an_unknown_heading_is_18_poses_of_as_many_looks(town, hypotheses):
    made = hypotheses("heading_deg", higher=1.5)
    assert [pose.heading_deg for pose in made.poses] == pytest.approx([20.0 * k for k in range(18)])
    assert len(made.patches) == 54
    half_tile_m = town.cache.manifest.tile_size_m / 2
    for pose in made.poses:
        across = np.radians(pose.heading_deg + 90.0)
        right = half_tile_m * np.array([np.sin(across), np.cos(across)])
        assert pose.shifts_m == pytest.approx(np.array([[0.0, 0.0], right, -right]))


def test_a_view_no_wider_than_a_tile_is_one_look_at_its_centre(town, hypotheses):
    made = hypotheses("heading_deg", higher=0.6)
    assert [len(offsets) for offsets in offsets_in_tiles(town, made)] == [1] * 18
    assert all(pose.shifts_m.tolist() == [[0.0, 0.0]] for pose in made.poses)


@pytest.mark.parametrize("hidden", [(), ("heading_deg",)])
def test_one_look_is_the_centre(town, hypotheses, hidden):
    made = hypotheses(*hidden, looks=1, higher=1.5)
    assert len(made.patches) == len(made.poses)
    assert all(pose.shifts_m.tolist() == [[0.0, 0.0]] for pose in made.poses)
