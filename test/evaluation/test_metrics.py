"""Figures against numbers worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from mift_ros.evaluation.metrics import error_of, percentile, summarise
from mift_ros.evaluation.records import FixRecord, FrameRecord, Truth

NAN = math.nan
HERE = Truth(45.0, 7.0, 300.0, 350.0)


def fix_at(east_m, north_m, sigma_m=10.0, heading_deg=350.0, calibrated=False):
    """A fix some metres from HERE."""
    azimuth, length = math.degrees(math.atan2(east_m, north_m)), math.hypot(east_m, north_m)
    lon, lat, _ = Geod(ellps="WGS84").fwd(HERE.lon_deg, HERE.lat_deg, azimuth, length)
    covariance = np.diag([sigma_m**2, sigma_m**2, 1e6, 1.0, 1.0, 0.01])
    return FixRecord(lat, lon, NAN, heading_deg, covariance, calibrated, 0.5, 2.0)


def frame(fix=None, truth=HERE, reason="", latency_s=0.1):
    return FrameRecord(0, truth, fix, reason, "", latency_s)


def test_error_is_the_geodesic():
    error = error_of(fix_at(3.0, 4.0), HERE)
    assert (error.east_m, error.north_m) == pytest.approx((3.0, 4.0), abs=1e-6)
    assert error.horizontal_m == pytest.approx(5.0, abs=1e-6)
    assert error.sigmas == pytest.approx(0.5, abs=1e-6)


def test_one_second_of_latitude_is_30_9_metres():
    fix = fix_at(0.0, 0.0)
    assert error_of(fix, HERE._replace(lat_deg=45.0 + 1 / 3600)).horizontal_m == pytest.approx(30.87, abs=0.01)


def test_sigmas_follow_a_turned_covariance():
    fix = fix_at(10.0, 10.0)
    long_ne = np.array([[100.0, 90.0], [90.0, 100.0]])  # variance 190 to the north-east, 10 across
    fix.covariance[:2, :2] = long_ne
    assert error_of(fix, HERE).sigmas == pytest.approx(math.sqrt(200.0 / 190.0), rel=1e-6)


@pytest.mark.parametrize(("measured", "error"), [(350.0, 0.0), (10.0, 20.0), (330.0, 20.0), (170.0, 180.0)])
def test_heading_error_goes_the_short_way(measured, error):
    assert error_of(fix_at(0, 0, heading_deg=measured), HERE).heading_deg == pytest.approx(error)


@pytest.mark.parametrize(
    ("metres", "sigma", "false"), [(29.0, 1.0, False), (31.0, 1.0, True), (31.0, 11.0, False), (100.0, 30.0, True)]
)
def test_a_false_fix_is_beyond_both_30_metres_and_3_sigma(metres, sigma, false):
    assert error_of(fix_at(0.0, metres, sigma), HERE).is_false is false


def test_summary_by_hand():
    metres = [1.0, 2.0, 3.0, 4.0, 70.0]
    records = [frame(fix_at(m, 0.0), latency_s=0.1 * k) for k, m in enumerate(metres, start=1)]
    records += [frame(reason="blurred"), frame(reason="blurred"), frame(reason="ambiguous")]
    s = summarise(records)
    assert (s.frames, s.fixes, s.judged) == (8, 5, 5)
    assert s.availability == pytest.approx(5 / 8)
    assert (s.median_m, s.p90_m, s.max_m) == pytest.approx((3.0, 43.6, 70.0), abs=1e-6)
    assert (s.false_share, s.far_share) == (0.2, 0.2)
    assert s.within_sigma == (0.8, 0.8, 0.8)
    assert s.nees == pytest.approx((1 + 4 + 9 + 16 + 4900) / 100 / 5)
    assert s.reasons == {"blurred": 2, "ambiguous": 1}
    assert not s.calibrated


def test_fixes_without_truth_count_for_availability_only():
    s = summarise([frame(fix_at(1, 1), truth=None), frame(fix_at(3, 4))])
    assert (s.fixes, s.judged, s.availability) == (2, 1, 1.0)
    assert s.median_m == pytest.approx(5.0, abs=1e-6)


def test_nothing_to_judge_is_nan_not_zero():
    for records in ([], [frame(reason="stale", latency_s=NAN)]):
        s = summarise(records)
        assert (
            math.isnan(s.median_m) and math.isnan(s.false_share) and math.isnan(s.nees) and math.isnan(s.latency_p50_s)
        )
    assert math.isnan(summarise([]).availability)


def test_calibrated_only_if_every_fix_is():
    assert summarise([frame(fix_at(1, 1, calibrated=True))]).calibrated
    assert not summarise([frame(fix_at(1, 1, calibrated=True)), frame(fix_at(1, 1))]).calibrated


def test_a_right_covariance_gives_nees_2_and_the_gaussian_shares():
    offsets = np.random.default_rng(0).normal(0, 10.0, (4000, 2))
    s = summarise([frame(fix_at(*offset)) for offset in offsets])
    assert s.nees == pytest.approx(2.0, abs=0.12)
    assert s.within_sigma == pytest.approx((0.393, 0.865, 0.989), abs=0.02)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 100))
def test_percentile_lies_within_and_ignores_nan(values, share):
    assert min(values) <= percentile([*values, NAN], share) <= max(values)
