"""What the ablation of MIFT's parts found, on the terminal, as Markdown and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from rich.table import Table

from mift_ros.files import write_file
from training.tables.parts import STRENGTHS, PartResult

COLUMNS = (
    *(f"{name}: {figure}" for name in STRENGTHS for figure in ("R@1", "R@5", "R@1 less whole")),
    "seeds",
    "parameters",
    "MFLOP",
)

Results = dict[str, list[PartResult]]
"""Runs of each row by its label, one for each seed; the first row is the whole network."""


def cells(runs: Sequence[PartResult], whole: Sequence[PartResult]) -> list[str]:
    """The columns behind a row's label, recalls in percent."""
    shown: list[str] = []
    for strength in STRENGTHS:
        shown += [f"{100 * np.mean([run.hits(strength, k) for run in runs]):.1f}" for k in (1, 5)]
        shown.append(_difference(runs, whole, strength))
    one = runs[0]
    return [*shown, str(len(runs)), f"{one.parameters / 1e6:.2f} M", f"{one.flops / 1e6:.0f}"]


def _difference(runs: Sequence[PartResult], whole: Sequence[PartResult], strength: str) -> str:
    """R@1 less that of the whole network on the same queries and seeds, with the standard error over the queries.

    The error does not hold what another seed of the training would change.
    """
    pairs = [run.hits(strength, 1) - full.hits(strength, 1) for run, full in zip(runs, whole) if run is not full]
    if not pairs:
        return ""
    per_query = np.mean(pairs, axis=0)
    return f"{100 * per_query.mean():+.1f} ± {100 * per_query.std() / np.sqrt(len(per_query)):.1f}"


def terminal_table(results: Results, title: str) -> Table:
    """The rows done so far."""
    table = Table("", title=title)
    for column in COLUMNS:
        table.add_column(column, justify="right")
    for label, row in _rows(results):
        table.add_row(label, *row)
    return table


def write_results(out: Path, results: Results, about: dict[str, str]) -> None:
    """Write parts.json and parts.md below out; about: what was run on what."""
    content = {label: [asdict(run) for run in runs] for label, runs in results.items()}
    lines = [*(f"- {key}: {value}" for key, value in about.items()), ""]
    lines += [f"| | {' | '.join(COLUMNS)} |", f"|---|{'---:|' * len(COLUMNS)}"]
    lines += [f"| {label} | {' | '.join(row)} |" for label, row in _rows(results)]
    texts = {"parts.json": json.dumps({"about": about, "rows": content}), "parts.md": "\n".join([*lines, ""])}
    for name, text in texts.items():
        write_file(out / name, text)


def _rows(results: Results) -> list[tuple[str, list[str]]]:
    whole = next(iter(results.values()), [])
    return [(label, cells(runs, whole)) for label, runs in results.items()]
