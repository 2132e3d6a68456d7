"""The log of a run: one CSV row per step, recall where measured; rows of steps undone by a resume are dropped."""

from __future__ import annotations

import csv
from pathlib import Path

LOG_FILE = "log.csv"
COLUMNS = ("step", "loss", "batch_recall", "learning_rate", "images_per_s", "temperature", "recall_1", "recall_5")


class History:
    """Rows in memory and in RUN_DIR/log.csv."""

    def __init__(self, run_dir: Path, resume_step: int = 0) -> None:
        """Open the log; with resume_step > 0 keep the rows before it, otherwise begin anew."""
        self._path = run_dir / LOG_FILE
        kept = read_history(self._path) if resume_step else []
        self.rows = [row for row in kept if row["step"] <= resume_step]
        temporary = self._path.with_suffix(".tmp")
        with temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(_text(row) for row in self.rows)
        temporary.replace(self._path)

    def append(self, **values: float) -> None:
        """Add one row; columns not given stay empty."""
        self.rows.append(values)
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, COLUMNS).writerow(_text(values))


def read_history(path: Path) -> list[dict[str, float]]:
    """Rows of a log file as numbers, empty cells left out; no rows where there is no file."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]


def _text(row: dict[str, float]) -> dict[str, str]:
    return {key: f"{value:.7g}" for key, value in row.items()}
