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
from rich.table import Table

from mift_ros.commands.machine import machine

app = typer.Typer(no_args_is_help=True)

Repeats = Annotated[int, typer.Option(min=3, help="Timed repetitions; the median and the 95th percentile are shown.")]
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
