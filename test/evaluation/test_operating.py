"""The curve of a stricter gate, from records by hand."""

import numpy as np
import pytest

from mift_ros.evaluation.metrics import Error
from mift_ros.evaluation.operating import operating_curve, operating_png
from mift_ros.evaluation.records import FixRecord, FrameRecord, Truth


def record(significance):
    fix = FixRecord(45.0, 7.0, 0.0, 0.0, np.eye(6), False, 0.3, 1.5, significance)
    return FrameRecord(0, Truth(45.0, 7.0), fix=fix)


def error(metres):
    return Error(metres, 0.0, metres, metres, 0.0)


def test_a_stricter_gate_loses_fixes_and_false_ones_first():
    records = [record(4.0), record(8.0), record(12.0), FrameRecord(0, None, reason="blurred")]
    curve = operating_curve(records, [error(500.0), error(1.0), error(1.0), None])
    assert curve.available[0] == pytest.approx(3 / 4)
    assert curve.false_share[0] == pytest.approx(1 / 3)
    strict = int(np.searchsorted(curve.thresholds, 6.0))
    assert curve.available[strict] == pytest.approx(2 / 4)
    assert curve.false_share[strict] == 0.0


@pytest.mark.parametrize("records", [[], [FrameRecord(0, None, reason="blurred")], [record(float("nan"))]])
def test_a_replay_without_fixes_still_has_a_picture(records):
    assert operating_png(records, [None] * len(records)).startswith(b"\x89PNG")
