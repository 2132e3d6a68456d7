"""`mift bench haystack`: real photos among all tiles of a large map, with and without their heading, per model."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from mift_ros.commands.machine import machine
from mift_ros.commands.output import make_folder
from mift_ros.commands.plain import plain_console

if TYPE_CHECKING:
    from mift_ros.cache.reader import MapCache
    from mift_ros.evaluation.flight import Flight
    from mift_ros.evaluation.retrieval import Ranked
    from mift_ros.inference.embedder import Embedder
    from mift_ros.localization.config import LocalizerConfig

RECALL_AT = (1, 5, 50)
TABLE_WIDTH = 160
HEADINGS = {"known": True, "unknown": False}
PACKAGES = ("numpy", "opencv-python-headless", "onnxruntime", "onnxruntime-gpu")

Row = dict[str, object]


def haystack(
    bag: Annotated[Path, typer.Argument(help="rosbag2 folder, .mcap or .db3, with a truth.")],
    source: Annotated[Path, typer.Argument(metavar="MAP", help="The large map, by `mift map haystack`.")],
    models: Annotated[list[str], typer.Option("--model", help="Packaged or installed name, or ONNX file; repeatable.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the caches, which are kept, and haystack.json.")],
    stride_m: Annotated[float, typer.Option(help="Distance between tiles, m.")] = 18.0,
    within_m: Annotated[float, typer.Option(min=1.0, help="A tile this near the truth is a right one.")] = 60.0,
    threads: Annotated[int, typer.Option(min=0, help="Threads of the model on a CPU; 0: all.")] = 0,
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="One parameter.")] = None,
    topic: Annotated[list[str] | None, typer.Option(metavar="ROLE=TOPIC", help="Where several would do.")] = None,
) -> None:
    """Rank of the first right tile for each photo alone, heading known and unknown, of several models in one run.

    The cache of a model is built into --out where it is not there yet; interrupt it and run it again to continue.
    """
    from mift_ros.commands.flights import open_flight, read_configs
    from mift_ros.files import write_file
    from mift_ros.inference.load import load_embedder

    node, config = read_configs(None, settings or [])
    flight = open_flight(bag, topic or [], node, config)
    make_folder(out, "the caches")
    rows: list[Row] = []
    for model in models:
        embedder = load_embedder(model, threads or node.threads)
        cache = open_or_build(source, embedder, out, stride_m)
        rows += [
            {"model": model, "heading": heading, "tiles": len(cache), **summary(ranked)}
            for heading, ranked in rank(flight, cache, embedder, config, within_m).items()
        ]
    _show(rows, f"{bag.name} in {source.name}, right within {within_m:g} m")
    made = {"command": shlex.join(["mift", *sys.argv[1:]]), "machine": machine(*PACKAGES).splitlines(), "rows": rows}
    write_file(out / "haystack.json", json.dumps(made, indent=1).encode())


def open_or_build(source: Path, embedder: Embedder, folder: Path, stride_m: float) -> MapCache:
    """The cache of the map by this model, of a name that its weights decide."""
    from mift_ros.cache.build import BuildOptions, build_cache
    from mift_ros.cache.reader import MapCache
    from mift_ros.maps.open import open_map

    identity = embedder.identity
    path = folder / f"{source.stem}-{stride_m:g}m-{identity.variant}-{identity.weights_sha256[:12]}.cache"
    if not path.exists():
        text = TextColumn("{task.description}", markup=False)
        columns = (text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        with Progress(*columns, console=plain_console(stderr=True), transient=True) as bars:
            tasks = {name: bars.add_task(f"{path.name}: {name}", total=None) for name in ("raster", "tiles")}
            options = BuildOptions(stride_m=stride_m, build_command=shlex.join(["mift", *sys.argv[1:]]))
            build_cache(
                open_map(source), embedder, path, options,
                lambda stage, done, total: bars.update(tasks[stage], completed=done, total=total),
            )  # fmt: skip
    return MapCache.open(path, identity)


def rank(
    flight: Flight, cache: MapCache, embedder: Embedder, config: LocalizerConfig, within_m: float
) -> dict[str, list[Ranked]]:
    """Every frame among all tiles, with its heading and without."""
    from mift_ros.evaluation.retrieval import Retrieval

    return {
        name: list(Retrieval(cache, embedder, replace(config, use_heading=used), within_m).over(flight))
        for name, used in HEADINGS.items()
    }


def summary(ranked: list[Ranked]) -> Row:
    """Ranks in the order of the frames, None where there is none, and how many are among the first k."""
    ranks = [None if frame.problem else int(frame.rank) for frame in ranked]
    return {"ranks": ranks, **{f"@{k}": sum(r is not None and r < k for r in ranks) for k in RECALL_AT}}


def _show(rows: list[Row], title: str) -> None:
    table = Table("model", "heading", "tiles", title=title)
    for k in RECALL_AT:
        table.add_column(f"@{k}", justify="right")
    table.add_column("ranks, 0 is best")
    for row in rows:
        ranks = row["ranks"]
        assert isinstance(ranks, list)
        shown = " ".join("-" if r is None else str(r) for r in ranks)
        counts = [f"{row[f'@{k}']} of {len(ranks)}" for k in RECALL_AT]
        table.add_row(str(row["model"]), str(row["heading"]), str(row["tiles"]), *counts, shown)
    plain_console(least_width=TABLE_WIDTH).print(table)
    typer.echo(machine(*PACKAGES))
