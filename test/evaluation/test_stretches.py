"""Stretches and waits worked out by hand; records that survive a file."""

import math

import numpy as np
import pytest

from mift_ros.errors import BagError
from mift_ros.evaluation.record_files import read_records, write_records
from mift_ros.evaluation.records import FixRecord, FrameRecord, Truth
from mift_ros.evaluation.stretches import Stretch, figures_of, is_covariance, longest_wait, split

TRUTH = Truth(45.0, 7.0, 300.0, 10.0)
METRE_DEG = 1 / 111131.8
STRETCH = Stretch("all", 0, 10**10)


def record(second=0, north_m=None, sigma_m=5.0):
    """A fix so far north of the truth, or a rejection."""
    if north_m is None:
        return FrameRecord(second * 10**9, TRUTH, reason="ambiguous", detail="twice", numbers={"lead": 1.0})
    covariance = np.diag([sigma_m**2, sigma_m**2, 1e8, 0.1, 0.1, 0.01])
    fix = FixRecord(45.0 + north_m * METRE_DEG, 7.0, math.nan, 10.0, covariance, False, 0.3, 2.0, 9.0)
    return FrameRecord(second * 10**9, TRUTH, fix, latency_s=0.1)


@pytest.mark.parametrize(
    ("right", "longest"),
    [
        ("11111", (0, True)),
        ("00111", (3, True)),
        ("10001011", (4, True)),
        ("1100", (3, False)),
        ("0001100", (4, True)),
        ("", (0, True)),
    ],
)
def test_waits_count_up_to_the_fix_that_ends_them(right, longest):
    assert longest_wait([c == "1" for c in right]) == longest


def test_a_false_fix_ends_no_wait_and_is_counted():
    figures = figures_of(STRETCH, [record(0), record(1, 80.0), record(2, 3.0), record(3, 40.0, 30.0)])
    assert (figures.false_fixes, figures.first_fix, figures.recovery) == (1, 3.0, 3)
    assert figures.recovered
    assert figures.summary.availability == 0.75


def test_nees_is_per_degree_of_freedom():
    figures = figures_of(STRETCH, [record(0, 10.0, 5.0), record(1, 0.0)])
    assert figures.nees_per_dof == pytest.approx((4.0 + 0.0) / 2 / 2, rel=1e-3)


def test_without_frames_everything_is_unknown():
    figures = figures_of(STRETCH, [])
    assert math.isnan(figures.first_fix)
    assert math.isnan(figures.nees_per_dof)
    assert figures.recovery == 0


def test_records_go_to_the_stretch_that_the_flight_has_come_to():
    stretches = [Stretch("one", 0, 2 * 10**9), Stretch("two", 2 * 10**9, 4 * 10**9)]
    back = [record(0), record(1), record(2), record(1), record(3), record(9)]
    assert [len(part) for part in split(back, stretches)] == [2, 4]


@pytest.mark.parametrize(
    ("matrix", "good"),
    [
        (np.eye(6), True),
        (np.zeros((6, 6)), False),
        (np.diag([1.0, 1, 1, 1, 1, -1]), False),
        (np.full((6, 6), np.nan), False),
        (np.eye(6) + np.eye(6, k=1), False),
    ],
)
def test_a_covariance_is_finite_symmetric_and_positive(matrix, good):
    assert is_covariance(matrix) is good


def test_records_come_back_from_their_file(tmp_path):
    path = tmp_path / "records.jsonl"
    written = [record(0, 3.0), record(1)]
    write_records(path, written)
    fixed, refused = read_records(path)
    assert np.array_equal(fixed.fix.covariance, written[0].fix.covariance)
    assert math.isnan(fixed.fix.altitude_ellipsoid_m)
    assert (fixed.fix.significance, fixed.truth) == (9.0, TRUTH)
    assert (refused.reason, refused.numbers, refused.fix) == ("ambiguous", {"lead": 1.0}, None)


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "other.jsonl"
    path.write_text("{}\n")
    with pytest.raises(BagError, match=r"other.jsonl: not records of frames"):
        read_records(path)
