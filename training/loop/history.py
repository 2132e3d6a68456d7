"""The log of a run: one CSV row per step, recall where measured; rows of steps undone by a resume are dropped."""

from __future__ import annotations

import csv
from pathlib import Path

from mift_ros.files import replacing

LOG_FILE = "log.csv"
COLUMNS = (
    "step",
    "loss",
    "triplet",
    "identity",
    "infonce",
    "batch_recall",
    "learning_rate",
    "temperature",
    "images_per_s",
    "data_wait",
    "recall_1",
    "recall_5",
    "ap",
    "satellite_recall_1",
    "satellite_ap",
    "rendered_recall_1",
    "rendered_recall_5",
)
"""learning_rate: of the heads; data_wait: share of the step's time spent waiting for its batch; recall and ap: of drone
queries, and of satellite queries; rendered: of drone queries of rendered worlds."""


class History:
    """Rows in memory and in RUN_DIR/log.csv."""

    def __init__(self, run_dir: Path, resume_step: int = 0) -> None:
        """Open the log; with resume_step > 0 keep the rows before it, otherwise begin anew."""
        self._path = run_dir / LOG_FILE
        kept = read_history(self._path) if resume_step else []
        self.rows = [row for row in kept if row["step"] <= resume_step]
        with replacing(self._path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(_text(row) for row in self.rows)

    def append(self, row: dict[str, float]) -> None:
        """Add one row; columns not given stay empty."""
        self.rows.append(row)
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, COLUMNS).writerow(_text(row))


def read_history(path: Path) -> list[dict[str, float]]:
    """Rows of a log file as numbers, empty cells left out; no rows where there is no file.

    A last row that the end of its process cut short is left out, and so is all from the first damaged row on.
    """
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        lines = [line for line in file if line.endswith("\n")]
    rows: list[dict[str, float]] = []
    try:
        for row in csv.DictReader(lines):
            rows.append({key: float(row[key]) for key in COLUMNS if key == "step" or row.get(key, "") != ""})
    except (KeyError, ValueError, TypeError, csv.Error):  # no step, no number, too few cells, a NUL
        return rows
    return rows


def _text(row: dict[str, float]) -> dict[str, str]:
    return {key: f"{value:.7g}" for key, value in row.items()}
