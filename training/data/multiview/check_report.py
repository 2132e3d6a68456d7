"""The findings about a data set as a person reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from training.data.multiview.check import Contents, Report, Severity
from training.data.multiview.check_images import Result

STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow"}


def show_decoding(results: Iterable[Result], total: int) -> Iterator[Result]:
    """A progress bar on a terminal."""
    console = Console(stderr=True)
    hidden = not console.is_terminal
    yield from track(results, "decoding", total, console=console, transient=True, disable=hidden)


def print_report(report: Report, console: Console) -> None:
    """A table of the parts, then a line per finding."""
    table = Table(title=f"{report.dataset.name} in {escape(str(report.dataset.root))}", title_justify="left")
    table.add_column("part")
    for column in ("classes", "published", "images", "published"):
        table.add_column(column, justify="right")
    for contents in report.contents:
        table.add_row(contents.part.name, *_counts(contents))
    console.print(table)
    images = len({path for contents in report.contents for path in contents.files})
    how = "all" if report.decoded == images else f"{report.decoded:,} of {images:,}"
    console.print(f"{how} images decoded" + ("" if report.decoded == images else "; --deep decodes all"))
    for finding in report.findings:
        console.print(
            f"[{STYLES[finding.severity]}]{finding.severity.value}[/]: {escape(finding.text)}", soft_wrap=True
        )


def _counts(contents: Contents) -> tuple[str, str, str, str]:
    published = contents.part.published
    known = (f"{published.classes:,}", f"{published.images:,}") if published else ("", "")
    if contents.images is None:
        return "missing", known[0], "", known[1]
    return f"{contents.classes:,}", known[0], f"{len(contents.files):,}", known[1]
