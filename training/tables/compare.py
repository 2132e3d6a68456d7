"""The comparison as a whole: which tables, under which settings, and what is written of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from mift_ros.commands.machine import machine
from mift_ros.errors import TrainingError
from training.tables.paper import ROWS, TABLES
from training.tables.report import Finished, terminal_table, write_results
from training.tables.runner import Interrupted, Runner, Settings

QUICK_STEPS = 600
TRUNK_STEPS = 1200
QUICK_CHANGES = ("variant=mift_pico", "precision=float32", "workers=0", "evaluation.every_steps=1000000")
"""A trunk of 0.05 GFLOP in float32, evaluated at the end alone."""


def settings(quick: bool, steps: int | None, seeds: int, changes: Sequence[str], initial: Path | None) -> Settings:
    """Settings of a command line; steps: of ROWS rows of each view, None for QUICK_STEPS or the recipes' own length."""
    rows = ROWS * (steps or (QUICK_STEPS if quick else 0))
    quick_changes = QUICK_CHANGES if quick else ()
    return Settings((*quick_changes, *changes), 2 * rows, seeds, initial, TRUNK_STEPS)


def chosen(only: str) -> list[str]:
    """Names of the tables in a comma-separated list, all for an empty one; raises TrainingError for an unknown name."""
    names = [name.strip() for name in only.split(",") if name.strip()] or list(TABLES)
    unknown = [name for name in names if name not in TABLES]
    if unknown:
        raise TrainingError(f"--only {unknown[0]}: choose among {', '.join(TABLES)}")
    return names


def compare(names: Sequence[str], given: Settings, data: Path, out: Path, console: Console) -> bool:
    """Run the tables row by row and show them; False where Ctrl-C ended it: the same call goes on from there.

    results.json and results.md are written after every row.
    """
    runner = Runner(given, data, out, lambda text: console.print(f"[bold]{text}[/bold]", soft_wrap=True))
    finished: Finished = {}
    for name in names:
        finished[name] = []
        for experiment in TABLES[name].experiments:
            try:
                finished[name].append(runner.run(experiment))
            except Interrupted:
                return False
            write_results(out, TABLES, finished, about(given, data))
        console.print(terminal_table(TABLES[name], finished[name]))
    return True


def about(given: Settings, data: Path) -> dict[str, str]:
    """What was run on what."""
    return {
        "data": data.name,
        "images a run": str(given.images or "as the recipes say"),
        "seeds": ", ".join(str(seed) for seed in range(given.seeds)),
        "initial weights": given.initial.name if given.initial else f"common trunk, {given.trunk_steps} steps",
        "changes to every recipe": " ".join(given.changes) or "none",
        "machine": " / ".join(machine("torch", "numpy", "opencv-python-headless").splitlines()),
    }
