"""The table of a comparison: cells, Markdown and JSON from the same outcomes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from mift_ros.evaluation.peers.compare import BEYOND_M, Outcome
from mift_ros.evaluation.peers.methods import CLASSICAL
from mift_ros.evaluation.record_files import without_nan

COLUMNS = (
    "method", "frames", "published", "median m", "p90 m", "max m", f"> {BEYOND_M:g} m",
    "s per frame", "of classical", "CPU s", "of classical",
)  # fmt: skip
UNKNOWN = "-"


def cells(outcome: Outcome, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """A row of COLUMNS."""
    if outcome.refusal:
        return (outcome.method.name, "not run", *[UNKNOWN] * (len(COLUMNS) - 2))
    metres = (_number(outcome.error_m(share), 1) for share in (50, 90, 100))
    counts = (str(len(outcome.answers)), str(outcome.published))
    wall, cpu = of_classical(outcome, outcomes)
    seconds = (_number(value, 3) for value in (outcome.wall_s, wall, outcome.cpu_s, cpu))
    return (outcome.method.name, *counts, *metres, str(outcome.beyond), *seconds)


def of_classical(outcome: Outcome, outcomes: Sequence[Outcome]) -> tuple[float, float]:
    """Seconds per frame over those of the classical row, by the wall and by processor time; NaN where it was not run.

    On a busy machine the processor's are to be trusted.
    """
    classical = next((other for other in outcomes if other.method.name == CLASSICAL), None)
    if classical is None:
        return math.nan, math.nan
    return outcome.wall_s / classical.wall_s, outcome.cpu_s / classical.cpu_s


def notes(outcomes: Sequence[Outcome]) -> list[str]:
    """What each method was given, and why one was not run."""
    return [f"{o.method.name}: {'not run: ' + o.refusal if o.refusal else o.method.given}" for o in outcomes]


def markdown(outcomes: Sequence[Outcome]) -> str:
    """The table, with its notes below."""
    lines = [COLUMNS, ("---", *["---:"] * (len(COLUMNS) - 1)), *(cells(outcome, outcomes) for outcome in outcomes)]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return table + "\n" + "".join(f"- {note}\n" for note in notes(outcomes))


def as_json(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Figures and every answer of each method; NaN becomes null."""
    rows = []
    for outcome in outcomes:
        wall, cpu = of_classical(outcome, outcomes)
        figures = {f"{name}_m": outcome.error_m(share) for name, share in (("median", 50), ("p90", 90), ("max", 100))}
        rows.append({
            "method": outcome.method.name, "given": outcome.method.given, "refusal": outcome.refusal,
            "frames": len(outcome.answers), "published": outcome.published, **figures, "beyond": outcome.beyond,
            "wall_s": outcome.wall_s, "wall_of_classical": wall, "cpu_s": outcome.cpu_s, "cpu_of_classical": cpu,
            "answers": [asdict(answer) for answer in outcome.answers],
        })  # fmt: skip
    return [without_nan(row) for row in rows]


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else UNKNOWN
