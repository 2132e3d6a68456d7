"""`mift bench`: what this machine does, with the machine and the versions beside every table."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from mift_ros.commands.bench_haystack import haystack
from mift_ros.commands.bench_localization import localization
from mift_ros.commands.machine import machine

app = typer.Typer(no_args_is_help=True)
app.command()(localization)
app.command()(haystack)

Repeats = Annotated[int, typer.Option(min=3, help="Timed repetitions; the median and the 95th percentile are shown.")]
RECALL_AT = (1, 5, 10, 50, 200, 500)
Model = Annotated[str, typer.Option(help="Packaged model name or ONNX file.")]


@app.command()
def inference(model: Model = "mift_nano", repeats: Repeats = 50) -> None:
    """Embedding latency and throughput at batch 1, 8 and 36 (one heading; yaw bins)."""
    from mift_ros.inference.load import load_embedder

    embedder = load_embedder(model)
    size = embedder.identity.input_size
    table = _table(f"{embedder.identity.name}: embed {size}x{size} RGB, preprocessing included")
    for batch in (1, 8, 36):
        images = np.random.default_rng(0).integers(0, 256, (batch, size, size, 3), dtype=np.uint8)
        _add(table, f"batch {batch}", _times(partial(embedder.embed, images), repeats), batch)
    _show(table)


@app.command()
def search(
    tiles: Annotated[int, typer.Option(min=1, help="Tiles in the map.")] = 100_000,
    model: Model = "mift_nano",
    repeats: Repeats = 30,
) -> None:
    """Exact search over a map of random tiles, beside one embedding in the same run."""
    from mift_ros.inference.load import load_embedder
    from mift_ros.localization.search import TileSearch

    embedder = load_embedder(model)
    size, dim = embedder.identity.input_size, embedder.identity.embedding_dim
    rng = np.random.default_rng(0)
    find = TileSearch(rng.standard_normal((tiles, dim), np.float32).astype(np.float16))
    image = rng.integers(0, 256, (1, size, size, 3), dtype=np.uint8)
    table = _table(f"search over {tiles} tiles of {dim} float32")
    _add(table, "one embedding", _times(lambda: embedder.embed(image), repeats), 1)
    for queries in (1, 36):
        query = rng.standard_normal((queries, dim), np.float32)
        _add(table, f"search, {queries} queries", _times(partial(find, query), repeats), queries)
    _show(table)


@app.command()
def cache(path: Annotated[Path, typer.Argument(help="Map cache.")], repeats: Repeats = 20) -> None:
    """Time to open a map cache."""
    from mift_ros.cache.reader import MapCache

    table = _table(f"open {path.name}, {path.stat().st_size / 1e6:.1f} MB")
    _add(table, "open", _times(lambda: MapCache.open(path), repeats), 1)
    _show(table)


@app.command()
def retrieval(
    bag: Annotated[Path, typer.Argument(help="rosbag2 folder, .mcap or .db3, with a truth.")],
    cache: Annotated[Path, typer.Option(help="Map cache made by `mift map build`.")],
    model: Model = "mift_nano",
    within_m: Annotated[float, typer.Option(min=1.0, help="A tile this near the truth is a right one.")] = 60.0,
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="One parameter.")] = None,
) -> None:
    """Rank of the right tile among all of a map, for each frame alone; without its heading: --set use_heading=false."""
    from mift_ros.cache.reader import MapCache
    from mift_ros.evaluation.bag import Bag
    from mift_ros.evaluation.flight import Flight
    from mift_ros.evaluation.retrieval import Retrieval, recall
    from mift_ros.evaluation.settings import read_settings
    from mift_ros.inference.load import load_embedder
    from mift_ros.localization.config import LocalizerConfig

    config, embedder = LocalizerConfig.from_mapping(read_settings(None, settings or [])), load_embedder(model)
    opened, flight = MapCache.open(cache, embedder.identity), Flight(Bag(bag), config.max_telemetry_age_s)
    found = []
    table = Table("frame", "rank", "its cosine", "best cosine", title=f"{bag.name} among {len(opened)} tiles")
    for ranked in track(Retrieval(opened, embedder, config, within_m).over(flight), "searching", flight.bag.frames):
        found.append(ranked)
        cells = [f"{ranked.rank:.0f}", f"{ranked.cosine:.3f}", f"{ranked.best_cosine:.3f}"]
        table.add_row(str(len(found)), *([ranked.problem, "", ""] if ranked.problem else cells))
    _show(table)
    shares = ", ".join(f"@{k} {recall(found, k):.0%}" for k in RECALL_AT)
    typer.echo(f"recall {shares} of {len(found)} frames; {statistics.median(f.seconds for f in found):.3f} s per frame")


def _times(call: Callable[[], object], repeats: int) -> list[float]:
    """Seconds of each repetition, after three that warm up."""
    for _ in range(3):
        call()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return seconds


def _table(title: str) -> Table:
    table = Table("what", "median", "p95", "per second", title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def _add(table: Table, name: str, seconds: list[float], items: int) -> None:
    median, p95 = statistics.median(seconds), float(np.percentile(seconds, 95))
    table.add_row(name, f"{median * 1e3:.2f} ms", f"{p95 * 1e3:.2f} ms", f"{items / median:.0f}")


def _show(table: Table) -> None:
    console = Console()
    console.print(table)
    console.print(machine("numpy", "opencv-python-headless", "onnxruntime", "onnxruntime-gpu"))
