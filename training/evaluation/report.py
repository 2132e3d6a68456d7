"""An evaluation as a table, a CSV file or a JSON file; all figures in percent."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from mift_ros.errors import TrainingError
from mift_ros.files import replacing
from training.evaluation.protocol import TaskResult
from training.evaluation.ranking import Ranking

Row = dict[str, str | int | float]

KS = (1, 5, 10)
FIGURE_SUFFIXES = (".csv", ".json")
PICTURE_SUFFIXES = (".png",)


def ranking_columns(ranking: Ranking) -> Row:
    """The protocol's figures: recall, recall among the first percent of the gallery, both average precisions."""
    recalls = {f"R@{k}": 100.0 * ranking.recall_at(k) for k in KS}
    return {
        **recalls,
        "R@1 %": 100.0 * ranking.recall_at(ranking.one_percent),
        "AP trapezoid": 100.0 * ranking.mean_ap_trapezoid,
        "AP Eq. 6": 100.0 * ranking.mean_ap_eq6,
    }


def task_row(task: TaskResult) -> Row:
    """The figures of a task and its size."""
    sizes = {"queries": len(task.ranking.first_rank), "gallery": task.ranking.gallery}
    return {"task": task.name, **ranking_columns(task.ranking), **sizes}


def sdm_row(name: str, sdm: dict[int, float]) -> Row:
    """SDM@K of a task, given from 0 to 1 by K."""
    return {"task": name, **{f"SDM@{k}": 100.0 * value for k, value in sdm.items()}}


def table(rows: Sequence[Row], title: str, caption: str = "") -> Table:
    """Rows that all have the columns of the first one."""
    # Without padding the nine columns of an evaluation fit a terminal of 80 characters.
    made = Table(title=title, caption=caption or None, caption_justify="left", box=SIMPLE_HEAD, padding=0)
    for name, value in rows[0].items():
        if isinstance(value, str):
            made.add_column(name, min_width=max(len(_text(row[name])) for row in rows))
        else:
            made.add_column(name.replace("AP ", "AP\n"), justify="right", min_width=6)
    for row in rows:
        made.add_row(*(_text(value) for value in row.values()))
    return made


def check_output(path: Path, suffixes: tuple[str, ...]) -> None:
    """Raise TrainingError, before the work is done, where the result could not be written."""
    if path.suffix.lower() not in suffixes:
        raise TrainingError(f"{path}: written is {' or '.join(suffixes)}")
    if not path.parent.is_dir():
        raise TrainingError(f"{path.parent}: no such folder to write {path.name} into")


def write_rows(rows: Sequence[Row], path: Path) -> None:
    """Write as CSV, or as JSON where the suffix says so; raises TrainingError where it cannot be written."""
    try:
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            if path.suffix.lower() == ".json":
                json.dump(list(rows), file, indent=2)
            else:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
    except OSError as error:
        raise TrainingError(f"{path}: cannot be written ({error.strerror})") from error


def _text(value: str | int | float) -> str:
    if isinstance(value, float):
        return f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else value
