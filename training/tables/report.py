"""Measured rows beside the paper's figures: on the terminal, as JSON and as Markdown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, astuple
from pathlib import Path

from rich.table import Table

from training.files import replacing
from training.tables.paper import Figures, PaperTable
from training.tables.runner import Result

RESULTS_FILE = "results.json"
MARKDOWN_FILE = "results.md"
MEASURED = ("D->S R@1", "AP", "S->D R@1", "AP")
COLUMNS = (*MEASURED, *(f"paper: {name}" for name in MEASURED), "parameters", "train s")

Finished = dict[str, list[Result]]
"""Rows done so far, by the name of their table."""


def cells(result: Result, paper: Figures | None) -> list[str]:
    """The columns of a row behind its label."""
    published = [f"{value:.2f}" for value in astuple(paper)] if paper else [""] * len(MEASURED)
    measured = [f"{value:.2f}" for value in astuple(result.figures)]
    return [*measured, *published, f"{result.parameters / 1e6:.2f} M", f"{result.train_s:.0f}"]


def terminal_table(table: PaperTable, results: Sequence[Result]) -> Table:
    """The rows done so far."""
    shown = Table("", title=table.title)
    for column in COLUMNS:
        shown.add_column(column, justify="right")
    for result, experiment in zip(results, table.experiments):
        shown.add_row(result.label, *cells(result, experiment.paper))
    return shown


def markdown_table(table: PaperTable, results: Sequence[Result]) -> str:
    """A heading and the rows done so far."""
    head = f"| | {' | '.join(COLUMNS)} |\n|---|{'---:|' * len(COLUMNS)}"
    rows = (
        f"| {result.label} | {' | '.join(cells(result, experiment.paper))} |"
        for result, experiment in zip(results, table.experiments)
    )
    return "\n".join([f"### {table.title}", "", head, *rows, ""])


def write_results(out: Path, tables: dict[str, PaperTable], finished: Finished, about: dict[str, str]) -> None:
    """Write results.json and results.md below out; about: what was run on what."""
    published = {
        name: [asdict(e.paper) if e.paper else None for e in tables[name].experiments[: len(rows)]]
        for name, rows in finished.items()
    }
    rows = {
        name: [{**asdict(row), "paper": paper} for row, paper in zip(results, published[name])]
        for name, results in finished.items()
    }
    with replacing(out / RESULTS_FILE) as temporary:
        temporary.write_text(json.dumps({"about": about, "tables": rows}, indent=1), encoding="utf-8")
    lines = [*(f"- {key}: {value}" for key, value in about.items()), ""]
    lines += [markdown_table(tables[name], results) for name, results in finished.items()]
    with replacing(out / MARKDOWN_FILE) as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8")
