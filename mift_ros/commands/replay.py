"""`mift replay`: a bag against a cache, through the library or through the running node."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from mift_ros.cache.reader import MapCache
from mift_ros.commands.flights import open_flight, read_configs
from mift_ros.commands.output import make_folder
from mift_ros.commands.plain import plain_console
from mift_ros.commands.simulate import Heading
from mift_ros.evaluation.flight import Flight
from mift_ros.evaluation.metrics import summarise
from mift_ros.evaluation.records import FrameRecord
from mift_ros.evaluation.replay import replay, with_truth
from mift_ros.evaluation.report import Context, figure_rows, write_report
from mift_ros.inference.load import load_embedder
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.localizer import Localizer
from mift_ros.nodes.config import NodeConfig
from mift_ros.nodes.ros_replay import RosReplay, replay_over_ros

app = typer.Typer(no_args_is_help=True)
console = plain_console()


@app.command("replay")
def replay_command(
    bag: Annotated[Path, typer.Argument(help="rosbag2 folder, .mcap or .db3.")],
    cache: Annotated[Path, typer.Option(help="Map cache made by `mift map build`.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder of the report  [default: BAG-replay]")] = None,
    model: Annotated[str, typer.Option(help="Packaged model or ONNX file.")] = "mift_nano",
    params: Annotated[Path | None, typer.Option(help="YAML of parameters, also the node's own file.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="One parameter.")] = None,
    topic: Annotated[list[str] | None, typer.Option(metavar="ROLE=TOPIC", help="Where several would do.")] = None,
    heading: Annotated[Heading, typer.Option(help="unknown: leave the recorded heading unused.")] = Heading.KNOWN,
    rate: Annotated[float, typer.Option(min=0.05, max=20.0, help="Pace against the recording, with --ros.")] = 1.0,
    ros: Annotated[
        bool, typer.Option("--ros", help="Through the running node over DDS, at the pace of the bag.")
    ] = False,
) -> None:
    """Metres, availability, false fixes and latency of a recorded flight, with a report."""
    node, config = read_configs(params, settings or [])
    config = config if heading is Heading.KNOWN else replace(config, use_heading=False)
    flight = open_flight(bag, topic or [], node, config)
    folder = out or _folder_beside(bag)
    make_folder(folder, "the report")
    if ros:
        records = _over_ros(flight, RosReplay(flight.bag, cache, model, {**_changed(node), **_changed(config)}, rate))
    else:
        records = _in_library(flight, cache, model, config, node.threads)
    _tell(records, flight)
    context = Context(
        str(bag), shlex.join(["mift", *sys.argv[1:]]), {**_changed(node), **_changed(config)}, _notes(flight)
    )
    console.print(f"report: {write_report(folder, records, MapCache.open(cache), context)}", soft_wrap=True)


def _folder_beside(bag: Path) -> Path:
    """BAG-replay, also where the bag is the working directory; dots in the name of a folder are part of it."""
    place = Path(os.path.abspath(bag))
    return place.with_name(f"{place.stem if place.is_file() else place.name}-replay")


def _changed(config: NodeConfig | LocalizerConfig) -> dict[str, object]:
    """What differs from the defaults."""
    defaults = asdict(type(config)())
    return {name: value for name, value in asdict(config).items() if value != defaults[name]}


def _in_library(flight: Flight, cache: Path, model: str, config: LocalizerConfig, threads: int) -> list[FrameRecord]:
    embedder = load_embedder(model, threads)
    localizer = Localizer(MapCache.open(cache, embedder.identity), embedder, config)
    records = []
    with _progress("replaying", flight.bag.frames) as advance:
        for record in replay(flight, localizer):
            records.append(record)
            advance(record)
    return records


def _over_ros(flight: Flight, wanted: RosReplay) -> list[FrameRecord]:
    with _progress("flying over DDS", flight.bag.frames) as advance:
        answers = replay_over_ros(wanted, advance)
    return with_truth(answers, flight)


@contextmanager
def _progress(text: str, total: int) -> Iterator[Callable[[FrameRecord], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[last]}", markup=False), console=console) as bars:
        task = bars.add_task(text, total=total, last="")
        yield lambda record: bars.update(task, advance=1, last=record.reason or "fix")


def _notes(flight: Flight) -> list[str]:
    return [f"{topic}: {count} messages left out, the last: {why}" for topic, (count, why) in flight.notes.items()]


def _tell(records: list[FrameRecord], flight: Flight) -> None:
    summary = summarise(records)
    table = Table(title=flight.bag.path.absolute().name, show_header=False)
    for name, value in figure_rows(summary):
        table.add_row(name, value)
    for reason, count in summary.reasons.items():
        table.add_row(f"no fix: {reason}", str(count))
    console.print(table)
    for note in _notes(flight):
        console.print(note, style="yellow")
