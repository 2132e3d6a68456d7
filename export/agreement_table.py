"""What a check found, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from mift_ros.inference.verdict import CheckReport

ROWS = {
    "cosine_median": "cosine, median",
    "cosine_p1": "cosine, lowest percent",
    "top1": "same best tile",
    "top5": "same best five",
    "recall1_loss": "recall@1 lost",
    "top1_own": "same best tile, own gallery",
    "top5_own": "same best five, own gallery",
    "recall1_loss_own": "recall@1 lost, own gallery",
}


def print_table(reports: Sequence[CheckReport], console: Console) -> None:
    """A column for each model; its own gallery is the one that it embedded itself, else it is the reference's."""
    recall = reports[0].figures.get("recall1_reference")
    title = f"against {reports[0].reference}" + (f", recall@1 {recall:.3f}" if recall is not None else "")
    table = Table("", *(f"{report.model} ({report.identity.precision})" for report in reports), "limit", title=title)
    for name, text in ROWS.items():
        shown = [f"{report.figures[name]:.4f}" if name in report.figures else "-" for report in reports]
        limit = reports[0].limits.get(name)
        table.add_row(text, *shown, "" if limit is None else f"{limit:g}")
    table.add_row("verdict", *(report.verdict for report in reports), "")
    console.print(table)
