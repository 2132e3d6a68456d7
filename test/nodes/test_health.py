"""Rates, ages and the verdict of the node's diagnostics, with a clock of our own."""

import numpy as np
import pytest

from mift_ros.conversion.outputs import OK, WARN
from mift_ros.localization.types import Fix, Reason, Rejection
from mift_ros.nodes.health import Health
from mift_ros.nodes.transport import profile_path, remedy

FIX = Fix(0, 47.0, 8.0, 500.0, 0.0, (0, 0, 0, 1), np.eye(6), False, (0, 0), 0.5, 2.0, 9, 0.05)


def test_rates_are_of_the_time_since_the_last_report():
    health = Health(100.0)
    for i in range(10):
        health.seen("image", 100.2 + i / 5)
    health.dropped()
    health.done(FIX)
    health.done(Rejection(0, Reason.BLURRED, "", latency_s=0.01))
    first = health.report(102.0, 1, "")
    assert (first.level, first.message) == (OK, "fixes")
    expected = {"image rate_hz": "5.00", "image age_s": "0.00", "dropped total": "1", "rejected blurred total": "1"}
    assert expected.items() <= first.values.items()
    second = health.report(103.0, 1, "")
    assert (second.level, second.values["image rate_hz"], second.values["image total"]) == (WARN, "0.00", "10")
    assert second.values["image age_s"] == "1.00"


@pytest.mark.parametrize(
    ("last_image_s", "publishers", "message"),
    [
        (None, 0, "nobody publishes images"),
        (None, 1, "images are published but do not arrive: use the profile"),
        (104.0, 1, "images are published but do not arrive: use the profile"),
        (109.0, 1, "no fix since the last report"),
    ],
)
def test_a_camera_that_does_not_arrive_is_told_from_one_that_is_not_there(last_image_s, publishers, message):
    health = Health(100.0)
    if last_image_s is not None:
        health.seen("image", last_image_s)
    status = health.report(110.0, publishers, "use the profile")
    assert (status.level, status.message) == (WARN, message)


def test_the_last_complaint_of_each_input_is_kept():
    health = Health(0.0)
    health.complain("imu", "first")
    health.complain("imu", "attitude quaternion is not a rotation")
    assert health.report(1.0, 1, "").values["imu ignored"] == "attitude quaternion is not a rotation"


def test_the_remedy_names_a_profile_that_is_there():
    assert profile_path().is_file()
    assert str(profile_path()) in remedy()
