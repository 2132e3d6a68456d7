"""`mift bench localization`: the localizer, its parts and its peers on the same frames, in one table."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from mift_ros.commands.machine import machine
from mift_ros.commands.output import make_folder
from mift_ros.commands.plain import plain_console
from mift_ros.errors import BagError
from mift_ros.files import write_file

if TYPE_CHECKING:
    from mift_ros.evaluation.peers.compare import Outcome

TABLE_WIDTH = 145
"""The table is not squeezed into less, as in a log."""
PACKAGES = ("numpy", "opencv-python-headless", "onnxruntime", "onnxruntime-gpu")


def localization(
    bag: Annotated[Path, typer.Argument(help="rosbag2 folder, .mcap or .db3, with a truth.")],
    cache: Annotated[Path, typer.Option(help="Map cache made by `mift map build`.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder of results.json and results.md.")] = None,
    alone: Annotated[bool, typer.Option("--alone", help="Every frame by itself: nothing is carried over.")] = False,
    frames: Annotated[int | None, typer.Option(min=1, help="Only the first so many.")] = None,
    model: Annotated[str, typer.Option(help="Packaged model name or ONNX file.")] = "mift_nano",
    params: Annotated[Path | None, typer.Option(help="YAML of parameters, also the node's own file.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="One parameter.")] = None,
    topic: Annotated[list[str] | None, typer.Option(metavar="ROLE=TOPIC", help="Where several would do.")] = None,
) -> None:
    """Retrieval, belief and refinement beside classical correlation and keypoints; -o keeps every answer."""
    from mift_ros.cache.reader import MapCache
    from mift_ros.commands.flights import open_flight, read_configs
    from mift_ros.evaluation.peers.compare import compare
    from mift_ros.evaluation.peers.methods import methods
    from mift_ros.evaluation.peers.table import COLUMNS, cells, notes
    from mift_ros.inference.load import load_embedder

    node, config = read_configs(params, settings or [])
    embedder, flight = load_embedder(model, node.threads), open_flight(bag, topic or [], node, config)
    opened = MapCache.open(cache, embedder.identity)
    if not any(truth for _, truth in flight.truths()):
        raise BagError(f"{bag}: no image has a truth to be compared with")
    if out is not None:
        make_folder(out, "the results")
    total = min(flight.bag.frames, frames or flight.bag.frames)
    with _progress(total) as progress:
        samples = islice(flight.samples(), total)
        outcomes = compare(methods(opened, embedder, config, progress), samples, opened, alone, progress)
    table = Table(title=f"{bag.name} on {cache.name}{', each frame alone' if alone else ''}")
    for column in COLUMNS:
        table.add_column(column, no_wrap=True, justify="left" if column == COLUMNS[0] else "right")
    for outcome in outcomes:
        table.add_row(*cells(outcome, outcomes))
    plain_console(least_width=TABLE_WIDTH).print(table)
    typer.echo("\n".join([*notes(outcomes), machine(*PACKAGES)]))
    if out is not None:
        _write(out, outcomes)


@contextmanager
def _progress(frames: int) -> Iterator[Callable[[str, int, int], None]]:
    """A bar for what is being done; a total of 0 stands for the frames."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, transient=True) as bars:
        task = bars.add_task("comparing", total=frames)
        yield lambda text, done, total: bars.update(task, description=text, completed=done, total=total or frames)


def _write(folder: Path, outcomes: list[Outcome]) -> None:
    from mift_ros.evaluation.peers.table import as_json, markdown

    made, where = shlex.join(["mift", *sys.argv[1:]]), machine(*PACKAGES)
    found = {"command": made, "machine": where.splitlines(), "methods": as_json(outcomes)}
    texts = {
        "results.json": json.dumps(found, indent=1, allow_nan=False),
        "results.md": f"`{made}`\n\n{markdown(outcomes)}\n{where}\n",
    }
    for name, text in texts.items():
        write_file(folder / name, text)
