"""Records of frames in a file: one JSON object per line, so that a calibration can be fitted to them later."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mift_ros.errors import BagError
from mift_ros.evaluation.metrics import error_of
from mift_ros.evaluation.records import FixRecord, FrameRecord, Truth
from mift_ros.files import write_file


def write_records(path: Path, records: Sequence[FrameRecord]) -> None:
    """Write records; NaN becomes null. The error against the truth is added for people and not read back."""
    write_file(path, "".join(json.dumps(without_nan(_row(record))) + "\n" for record in records))


def read_records(path: Path) -> list[FrameRecord]:
    """The records of a file that write_records wrote.

    Raises:
        BagError: the file cannot be read or holds something else.
    """
    try:
        return [_record(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BagError(f"{path}: not records of frames ({error})") from error


def without_nan(value: Any) -> Any:
    """Plain data without what JSON does not know: NaN and infinity become None."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return value


def _row(record: FrameRecord) -> dict[str, Any]:
    row: dict[str, Any] = {
        "stamp_ns": record.stamp_ns, "truth": list(record.truth) if record.truth else None, "reason": record.reason,
        "detail": record.detail, "latency_s": record.latency_s, "numbers": dict(record.numbers), "fix": None,
    }  # fmt: skip
    if fix := record.fix:
        row["fix"] = {**vars(fix), "covariance": fix.covariance.tolist()}
        if record.truth:
            error = error_of(fix, record.truth)
            row["error"] = {"east_m": error.east_m, "north_m": error.north_m, "sigmas": error.sigmas}
    return row


def _record(row: dict[str, Any]) -> FrameRecord:
    fix = None
    if stored := row["fix"]:
        covariance = np.array([[_number(v) for v in line] for line in stored.pop("covariance")])
        fix = FixRecord(**{name: _number(value) for name, value in stored.items()}, covariance=covariance)
    truth = Truth(*(_number(value) for value in row["truth"])) if row["truth"] else None
    numbers = {name: _number(value) for name, value in row["numbers"].items()}
    return FrameRecord(row["stamp_ns"], truth, fix, row["reason"], row["detail"], _number(row["latency_s"]), numbers)


def _number(value: Any) -> Any:
    return math.nan if value is None else value
