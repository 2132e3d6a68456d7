"""The curves on the terminal, as Markdown, as JSON and as a picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.table import Table

from mift_ros.errors import TrainingError
from mift_ros.files import write_file
from training.evaluation.curves import KS, Curve
from training.evaluation.figures import new_figure, save_figure

Recalls = dict[str, dict[str, float]]
"""By row and column, shares; rows are methods."""
MARKS = {1: "-", 5: "--"}


def curve_table(curve: Curve) -> Table:
    """One row per method and k."""
    table = Table("recall, %", title=f"{curve.axis}: {curve.note}")
    for x in curve.x:
        table.add_column(f"{x:g}", justify="right")
    for method, by_k in curve.recall.items():
        for k, shares in by_k.items():
            table.add_row(f"{method} @{k}", *(f"{100 * share:.1f}" for share in shares))
    return table


def recall_table(title: str, recalls: Recalls) -> Table:
    """Shares in percent."""
    table = Table("%", title=title)
    for column in next(iter(recalls.values()), {}):
        table.add_column(column, justify="right")
    for method, shares in recalls.items():
        table.add_row(method, *(f"{100 * share:.1f}" for share in shares.values()))
    return table


def markdown(table: Table) -> str:
    """A rich table as Markdown, its title above."""
    head = [str(column.header) for column in table.columns]
    rows = zip(*(list(column.cells) for column in table.columns))
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    lines += [f"| {' | '.join(str(cell) for cell in row)} |" for row in rows]
    return "\n".join([f"{table.title}", "", *lines, ""])


def plot_curves(curves: Sequence[Curve], path: Path) -> None:
    """One panel per curve as PNG; a colour per method, dashed at 5."""
    figure = new_figure(5.0 * len(curves), 4.2)
    for axes, curve in zip(figure.subplots(1, len(curves), squeeze=False)[0], curves):
        for number, (method, by_k) in enumerate(curve.recall.items()):
            for k in KS:
                shares = [100 * share for share in by_k[k]]
                axes.plot(curve.x, shares, MARKS[k], color=f"C{number}", marker=".", label=f"{method} @{k}")
        axes.set(xlabel=curve.axis, ylabel="recall, %", ylim=(0, 100))
        axes.set_title(curve.note, fontsize=7)
        if curve.name == "gallery":
            axes.set_xscale("log")
        axes.grid(alpha=0.3)
    figure.axes[0].legend(fontsize=7)
    save_figure(figure, path)


def make_folder(folder: Path) -> None:
    """Before the run rather than after it; raises TrainingError where it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"{folder}: no folder for the results ({error.strerror})") from error


def write_curves(
    out: Path, about: dict[str, str], curves: Sequence[Curve], tables: Sequence[Table], recalls: dict[str, Recalls]
) -> None:
    """Write curves.json, curves.md and curves.png below out; about: what was run on what."""
    content = {"about": about, "curves": [asdict(curve) for curve in curves], "recalls": recalls}
    head = "\n".join([*(f"- {key}: {value}" for key, value in about.items()), ""])
    texts = {
        "curves.json": json.dumps(content, indent=1),
        "curves.md": "\n".join([head, *(markdown(table) for table in tables)]),
    }
    for name, text in texts.items():
        write_file(out / name, text)
    plot_curves(curves, out / "curves.png")
