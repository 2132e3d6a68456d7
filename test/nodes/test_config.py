"""The node's parameters: mounting, and the files that repeat their defaults."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import yaml

from mift_ros.errors import ConfigError
from mift_ros.geometry.camera import NADIR_MOUNT
from mift_ros.localization.config import LocalizerConfig
from mift_ros.nodes.config import NodeConfig
from mift_ros.nodes.describe import lines

REPOSITORY = Path(__file__).resolve().parents[2]
OPTICAL_AXIS = np.array([0.0, 0.0, 1.0])
IMAGE_TOP = np.array([0.0, -1.0, 0.0])


def test_without_mount_angles_the_camera_looks_down_with_its_top_to_the_nose():
    mount = NodeConfig().body_from_camera()
    assert np.allclose(mount, NADIR_MOUNT)
    assert np.allclose(mount @ OPTICAL_AXIS, [0, 0, -1])
    assert np.allclose(mount @ IMAGE_TOP, [1, 0, 0])


@pytest.mark.parametrize(
    ("angles", "axis", "top"),
    [
        ({"mount_pitch_deg": -90.0}, [1, 0, 0], [0, 0, 1]),  # looks ahead
        ({"mount_yaw_deg": 90.0}, [0, 0, -1], [0, 1, 0]),  # image top to the left
        ({"mount_roll_deg": 90.0}, [0, 1, 0], [1, 0, 0]),  # looks to the left
    ],
)
def test_mount_angles_turn_the_camera_about_the_bodys_axes(angles, axis, top):
    mount = NodeConfig(**angles).body_from_camera()
    assert np.allclose(mount @ OPTICAL_AXIS, axis)
    assert np.allclose(mount @ IMAGE_TOP, top)


def test_values_that_are_no_choice_are_refused():
    with pytest.raises(ConfigError, match="'yuv' is not one of raw, compressed"):
        NodeConfig(image_transport="yuv")


def test_the_parameter_file_lists_every_parameter_with_its_default():
    """If it does not: python -m mift_ros.nodes.describe > config/localizer.yaml."""
    text = (REPOSITORY / "config/localizer.yaml").read_text()
    assert text == "\n".join(lines()) + "\n"
    (node,) = yaml.safe_load(text).values()
    assert node["ros__parameters"] == {**dataclasses.asdict(NodeConfig()), **dataclasses.asdict(LocalizerConfig())}
