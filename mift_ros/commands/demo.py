"""`mift demo`: map, cache, node, flight over DDS, report, on a world that is made on the spot."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from mift_ros.cache.reader import MapCache
from mift_ros.commands.plain import plain_console
from mift_ros.demo.table import LiveTable
from mift_ros.demo.world import DemoFiles, prepare
from mift_ros.evaluation.bag import Bag
from mift_ros.evaluation.flight import Flight
from mift_ros.evaluation.metrics import summarise
from mift_ros.evaluation.records import FrameRecord
from mift_ros.evaluation.replay import replay, with_truth
from mift_ros.evaluation.report import Context, figure_rows, metres, write_report
from mift_ros.inference.embedder import Embedder
from mift_ros.inference.load import load_embedder
from mift_ros.localization.localizer import Localizer
from mift_ros.nodes.availability import why_no_ros
from mift_ros.nodes.ros_replay import RosReplay, replay_over_ros

app = typer.Typer()
console = plain_console()


@app.command("demo")
def demo_command(
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the town, the cache, the bag and the report.")
    ] = Path("demo"),
    model: Annotated[str, typer.Option(help="Packaged model or ONNX file.")] = "mift_nano",
    library: Annotated[
        bool, typer.Option("--library", help="Fly through the library even where ROS is there.")
    ] = False,
) -> None:
    """Build a town and its map cache, fly over it through the running node, and report what came back."""
    embedder = load_embedder(model)
    with _progress() as progress:
        files = prepare(out, embedder, progress)
    flight = Flight(Bag(files.bag))
    missing = "--library was given" if library else why_no_ros()
    started = time.monotonic()
    if missing:
        console.print(f"No ROS: {missing}. The same flight goes through the library alone.", style="yellow")
        records = _through_library(flight, files, embedder)
    else:
        console.print("localizer, player and recorder start as three processes that meet over DDS only")
        records = _over_dds(flight, files, model)
    _tell(records, "the library" if missing else "DDS", time.monotonic() - started)
    report = write_report(out, records, MapCache.open(files.cache), Context(str(files.bag), "mift demo"))
    console.print(f"report: {report}", soft_wrap=True)


def _over_dds(flight: Flight, files: DemoFiles, model: str) -> list[FrameRecord]:
    with _live("poses as they come back over DDS", flight) as add:
        answers = replay_over_ros(RosReplay(flight.bag, files.cache, model), add)
    return with_truth(answers, flight)


def _through_library(flight: Flight, files: DemoFiles, embedder: Embedder) -> list[FrameRecord]:
    localizer = Localizer(MapCache.open(files.cache, embedder.identity), embedder)
    records = []
    with _live("fixes of the library", flight) as add:
        for record in replay(flight, localizer):
            records.append(record)
            add(record)
    return records


@contextmanager
def _live(title: str, flight: Flight) -> Iterator[Callable[[FrameRecord], None]]:
    table = LiveTable(title, flight)
    with Live(table, console=console, refresh_per_second=4):
        yield table.add
    console.print()


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each stage, in the order in which they report."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars:
        tasks = {}

        def update(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage)
            bars.update(tasks[stage], completed=done, total=total)

        yield update


def _tell(records: list[FrameRecord], way: str, seconds: float) -> None:
    summary = summarise(records)
    table = Table(show_header=False)
    for name, value in figure_rows(summary):
        table.add_row(name, value)
    for reason, count in summary.reasons.items():
        table.add_row(f"no fix: {reason}", str(count))
    console.print(table)
    console.print(
        Text(
            f"{summary.fixes} of {summary.frames} frames gave a fix through {way}, median error "
            f"{metres(summary.median_m)}",
            "bold",
        ),
        f"in {seconds:.0f} s",
        sep=", ",
    )
