"""Measured rows beside the paper's figures: on the terminal, as JSON and as Markdown."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, astuple
from pathlib import Path

from rich.table import Table

from mift_ros.files import write_file
from training.tables.paper import Figures, PaperTable
from training.tables.runner import Result

RESULTS_FILE = "results.json"
MARKDOWN_FILE = "results.md"
MEASURED = ("D->S R@1", "AP", "S->D R@1", "AP")
COLUMNS = (*MEASURED, *(f"paper: {name}" for name in MEASURED), "parameters", "train s")

Row = list[Result]
"""One result for each seed."""
Finished = dict[str, list[Row]]
"""Rows done so far, by the name of their table."""


def cells(row: Row, paper: Figures | None) -> list[str]:
    """The columns of a row behind its label: mean over the seeds, and the deviation where there are several."""
    published = [f"{value:.2f}" for value in astuple(paper)] if paper else [""] * len(MEASURED)
    measured = [_spread(values) for values in zip(*(astuple(result.figures) for result in row))]
    train_s = statistics.mean(result.train_s for result in row)
    return [*measured, *published, f"{row[0].parameters / 1e6:.2f} M", f"{train_s:.0f}"]


def _spread(values: Sequence[float]) -> str:
    mean = f"{statistics.mean(values):.2f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.2f}"


def terminal_table(table: PaperTable, rows: Sequence[Row]) -> Table:
    """The rows done so far."""
    shown = Table("", title=table.title)
    for column in COLUMNS:
        shown.add_column(column, justify="right")
    for row, experiment in zip(rows, table.experiments):
        shown.add_row(experiment.label, *cells(row, experiment.paper))
    return shown


def markdown_table(table: PaperTable, rows: Sequence[Row]) -> str:
    """A heading and the rows done so far."""
    head = f"| | {' | '.join(COLUMNS)} |\n|---|{'---:|' * len(COLUMNS)}"
    lines = (
        f"| {experiment.label} | {' | '.join(cells(row, experiment.paper))} |"
        for row, experiment in zip(rows, table.experiments)
    )
    return "\n".join([f"### {table.title}", "", head, *lines, ""])


def write_results(out: Path, tables: dict[str, PaperTable], finished: Finished, about: dict[str, str]) -> None:
    """Write results.json and results.md below out; about: what was run on what."""
    content = {
        name: [
            {"label": experiment.label, "paper": _plain(experiment.paper), "runs": [asdict(result) for result in row]}
            for row, experiment in zip(rows, tables[name].experiments)
        ]
        for name, rows in finished.items()
    }
    write_file(out / RESULTS_FILE, json.dumps({"about": about, "tables": content}, indent=1))
    lines = [*(f"- {key}: {value}" for key, value in about.items()), ""]
    lines += [markdown_table(tables[name], rows) for name, rows in finished.items()]
    write_file(out / MARKDOWN_FILE, "\n".join(lines))


def _plain(figures: Figures | None) -> dict[str, float] | None:
    return asdict(figures) if figures else None
