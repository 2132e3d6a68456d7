"""Fix and Rejection as message fields."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mift_ros.conversion.outputs import COVARIANCE_APPROXIMATED, COVARIANCE_KNOWN, WARN, position_covariance, status_of
from mift_ros.conversion.outputs import pose_covariance as pose
from mift_ros.conversion.stamp import ns_to_stamp
from mift_ros.localization.types import Fix, Reason, Rejection


def fix(calibrated: bool = False) -> Fix:
    covariance = np.diag([4.0, 9.0, 1e6, 0.1, 0.1, 0.2])
    covariance[0, 1] = covariance[1, 0] = 1.5
    return Fix(
        stamp_ns=1, lat_deg=47.123456789, lon_deg=8.0, altitude_ellipsoid_m=math.nan, heading_deg=10.0,
        orientation_enu=(0, 0, 0, 1), covariance=covariance, covariance_calibrated=calibrated, position_m=(0, 0),
        similarity=0.5, lead=2.0, inliers=12, latency_s=0.02,
    )  # fmt: skip


def test_covariance_is_row_major_and_says_whether_it_is_calibrated() -> None:
    assert pose(fix())[:8] == [4.0, 1.5, 0, 0, 0, 0, 1.5, 9.0]
    assert position_covariance(fix()) == ([4.0, 1.5, 0, 1.5, 9.0, 0, 0, 0, 1e6], COVARIANCE_APPROXIMATED)
    assert position_covariance(fix(calibrated=True))[1] == COVARIANCE_KNOWN


def test_status_of_a_fix_names_its_quality() -> None:
    values = status_of(fix()).values
    assert (values["state"], values["sigma_m"], values["covariance"]) == ("fix", "3.00", "approximate")
    assert values["altitude_ellipsoid_m"] == "nan"


def test_status_of_a_rejection_carries_the_reason_and_its_numbers() -> None:
    status = status_of(Rejection(1, Reason.AMBIGUOUS, "two places", {"lead": 1.05}))
    assert (status.level, status.message) == (WARN, "ambiguous: two places")
    assert (status.values["state"], status.values["lead"]) == ("ambiguous", "1.05")


@given(st.integers(0, 2**62))
def test_stamps_round_trip_to_the_nanosecond(stamp_ns: int) -> None:
    sec, nanosec = ns_to_stamp(stamp_ns)
    assert sec * 10**9 + nanosec == stamp_ns
    assert 0 <= nanosec < 10**9
