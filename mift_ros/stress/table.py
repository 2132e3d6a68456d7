"""The one table of the suite, what of it misses the aims, and the same as Markdown and JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from mift_ros.evaluation.metrics import GAUSS_SHARES
from mift_ros.evaluation.record_files import without_nan
from mift_ros.evaluation.stretches import StretchFigures, figures_of
from mift_ros.stress.suite import Outcome

MOST_FALSE_SHARE = 0.001
NEES_PER_DOF = (0.8, 1.2)
SHARE_TOLERANCE = 0.05
FIRST_FIX_FRAMES, RECOVERY_FRAMES = 20, 10
"""Aims: frames to the first fix of a flight, and from a loss or the end of a disturbance to the next fix."""

COLUMNS = (
    "scenario", "stretch", "frames", "avail. %", "median m", "p90 m", "max m", "false", "in 1/2/3 sigma %",
    "NEES/dof", "first fix", "longest wait", "misses",
)  # fmt: skip


class Row(NamedTuple):
    """A line of the table: whose figures, and which aims they miss."""

    scenario: str
    figures: StretchFigures
    misses: tuple[str, ...]


def rows_of(outcomes: Sequence[Outcome]) -> list[Row]:
    """A row per stretch, and the totals over all frames at the end."""
    rows = []
    for outcome in outcomes:
        for index, figures in enumerate(outcome.stretches):
            rows.append(Row(outcome.scenario.name, figures, tuple(_stretch_misses(figures, index == 0))))
    return [*rows, total_of(outcomes)]


def total_of(outcomes: Sequence[Outcome]) -> Row:
    """Figures over all frames of all scenarios, against the aims that speak of all fixes."""
    records = [record for outcome in outcomes for record in outcome.records]
    parts = [figures for outcome in outcomes for figures in outcome.stretches if figures.stretch.fix_due]
    whole = figures_of(outcomes[0].whole.stretch, records)
    misses = []
    if whole.false_fixes > MOST_FALSE_SHARE * whole.summary.fixes:
        misses.append("false fixes")
    if any(abs(a - b) > SHARE_TOLERANCE for a, b in zip(whole.summary.within_sigma, GAUSS_SHARES)):
        misses.append("coverage")
    if not NEES_PER_DOF[0] <= whole.nees_per_dof <= NEES_PER_DOF[1]:
        misses.append("NEES")
    if slow := sum(figures.recovery > RECOVERY_FRAMES for figures in parts):
        misses.append(f"{slow} slow recoveries")
    if crashes := sum(len(outcome.exceptions) for outcome in outcomes):
        misses.append(f"{crashes} exceptions")
    if whole.malformed:
        misses.append(f"{whole.malformed} malformed covariances")
    return Row("total", whole, tuple(misses))


def cells(row: Row) -> tuple[str, ...]:
    """The texts of a row, under COLUMNS."""
    figures, summary = row.figures, row.figures.summary
    inside = "/".join(_text(100 * share, 0) for share in summary.within_sigma)
    wait = f"{'' if figures.recovered else '> '}{figures.recovery}" if row.scenario != "total" else "-"
    return (
        row.scenario, figures.stretch.name, str(summary.frames), _text(100 * summary.availability, 0),
        _text(summary.median_m), _text(summary.p90_m), _text(summary.max_m), str(figures.false_fixes),
        inside if summary.judged else "-", _text(figures.nees_per_dof, 2),
        _text(figures.first_fix, 0) if row.scenario != "total" else "-", wait, ", ".join(row.misses),
    )  # fmt: skip


def markdown(rows: Sequence[Row]) -> str:
    """The table as Markdown."""
    lines = [COLUMNS, tuple("---" for _ in COLUMNS), *(cells(row) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def as_json(rows: Sequence[Row], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The table and what the localizer raised, for machines; null is unknown."""
    listed = []
    for row in rows:
        figures = asdict(row.figures)
        stretch, summary = figures.pop("stretch"), figures.pop("summary")
        values = {**summary, **figures, "availability": row.figures.summary.availability}
        values["nees_per_dof"] = row.figures.nees_per_dof
        listed.append({"scenario": row.scenario, **stretch, **values, "misses": list(row.misses)})
    raised = {outcome.scenario.name: outcome.exceptions for outcome in outcomes if outcome.exceptions}
    return {"rows": without_nan(listed), "exceptions": raised}


def _stretch_misses(figures: StretchFigures, first: bool) -> list[str]:
    """Aims that a stretch misses by itself."""
    misses = ["false fix"] if figures.false_fixes else []
    if figures.malformed:
        misses.append("malformed covariance")
    if not figures.stretch.fix_due:
        return misses
    late = not figures.first_fix <= (FIRST_FIX_FRAMES if first else RECOVERY_FRAMES)
    if late:
        misses.append("first fix")
    elif figures.recovery > (FIRST_FIX_FRAMES if first and figures.recovery == figures.first_fix else RECOVERY_FRAMES):
        misses.append("recovery")
    return misses


def _text(value: float, digits: int = 1) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"
