"""`mift stress`: the seeded suite of what goes wrong in flight."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from mift_ros import __version__
from mift_ros.commands.plain import plain_console
from mift_ros.errors import ConfigError
from mift_ros.evaluation.settings import read_settings
from mift_ros.files import write_file
from mift_ros.inference.load import load_embedder
from mift_ros.localization.config import LocalizerConfig
from mift_ros.stress.calibration_flights import GROUNDS, prepare
from mift_ros.stress.scenario import Scenario
from mift_ros.stress.scenarios import QUICK, SCENARIOS
from mift_ros.stress.suite import Outcome, Suite
from mift_ros.stress.table import COLUMNS, Row, as_json, cells, markdown, rows_of

app = typer.Typer(no_args_is_help=True)
console = plain_console()
EXACT_MAP = {"map_sigma_m": 0.0}
"""The made-up grounds lie where their maps say."""


@app.command("run")
def run_command(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of grounds, bags, records and results.")],
    only: Annotated[list[str] | None, typer.Option(metavar="NAME", help="A scenario to fly; repeat for more.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help=f"Only {', '.join(QUICK)}.")] = False,
    model: Annotated[str, typer.Option(help="Packaged model or ONNX file.")] = "mift_nano",
    params: Annotated[Path | None, typer.Option(help="YAML of parameters of the localizer.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="One parameter.")] = None,
) -> None:
    """Fly every scenario through the localizer; grounds, caches and bags in OUT are made once and kept."""
    chosen = _chosen(only or (list(QUICK) if quick else []))
    config = LocalizerConfig.from_mapping({**EXACT_MAP, **read_settings(params, settings or [])})
    suite = Suite(out, load_embedder(model), config)
    with _progress() as progress:
        outcomes = [suite.fly(scenario, progress) for scenario in chosen]
    rows = rows_of(outcomes)
    _write(out, rows, outcomes)
    _tell(rows, outcomes)
    console.print(f"results: {out / 'results.json'}, {out / 'results.md'}", soft_wrap=True)
    if any(outcome.exceptions for outcome in outcomes):
        raise typer.Exit(1)


@app.command("list")
def list_command() -> None:
    """What the suite flies."""
    table = Table("scenario", "frames", "ground", "what is tried")
    for scenario in SCENARIOS:
        seconds = sum((s.end_ns - s.start_ns) / 1e9 for s in scenario.stretches)
        table.add_row(scenario.name, f"{seconds:.0f}", scenario.ground, scenario.text)
    console.print(table)


@app.command("flights")
def flights_command(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of grounds, caches, flights and flights.txt.")],
    model: Annotated[str, typer.Option(help="Packaged model or ONNX file.")] = "mift_nano",
) -> None:
    """Make the 72 flights that the shipped calibration is fitted to; what is there is kept.

    mift calibrate $(cat OUT/flights.txt) -o calibration.yaml
    """
    embedder = load_embedder(model)
    with _progress() as progress:
        words = [word for flown in GROUNDS for word in prepare(flown, out, embedder, progress)]
    write_file(out / "flights.txt", "\n".join(words) + "\n")
    console.print(f"{len(words)} flights: mift calibrate $(cat {out / 'flights.txt'}) ...", soft_wrap=True)


def _chosen(names: list[str]) -> list[Scenario]:
    known = {scenario.name: scenario for scenario in SCENARIOS}
    for name in names:
        if name not in known:
            raise ConfigError(f"no scenario {name!r} in the suite; there are {', '.join(known)}")
    return [known[name] for name in names] or list(SCENARIOS)


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar for what is being done; the next thing takes its place."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars:
        task = bars.add_task("")
        yield lambda stage, done, total: bars.update(task, description=stage, completed=done, total=total)


def _tell(rows: list[Row], outcomes: list[Outcome]) -> None:
    table = Table(*COLUMNS)
    for row in rows:
        table.add_row(*cells(row), style="yellow" if row.misses else None, end_section=row is rows[-2])
    console.print(table)
    for outcome in outcomes:
        for detail in outcome.exceptions:
            console.print(f"{outcome.scenario.name}: the localizer raised {detail}", style="red", soft_wrap=True)


def _write(folder: Path, rows: list[Row], outcomes: list[Outcome]) -> None:
    made = {"command": shlex.join(["mift", *sys.argv[1:]]), "version": __version__}
    texts = {
        "results.json": json.dumps({**made, **as_json(rows, outcomes)}, indent=1, allow_nan=False),
        "results.md": f"`{made['command']}`, mift_ros {__version__}\n\n{markdown(rows)}",
    }
    for name, text in texts.items():
        write_file(folder / name, text)
