"""`mift bench cache`: how fast a map cache opens, or how fast one is built and how busy the embedder is meanwhile."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from mift_ros.commands.measure import PACKAGES, Report, measure, peak_memory_mib


def cache(
    path: Annotated[Path, typer.Argument(help="Map cache; with --build, a map.")],
    build: Annotated[bool, typer.Option("--build", help="Build a cache of the map into a temporary folder.")] = False,
    model: Annotated[str, typer.Option(help="Packaged model name or ONNX file.")] = "mift_nano",
    threads: Annotated[int, typer.Option(min=0, help="Threads of the model on a CPU; 0: all.")] = 0,
    repeats: Annotated[int, typer.Option(min=3, help="Timed repetitions of opening.")] = 20,
) -> None:
    """Time to open a map cache; with --build, tiles per second and the embedder's share of the time."""
    if build:
        _build(path, model, threads)
        return
    from mift_ros.cache.reader import MapCache

    times = measure({"open": lambda: MapCache.open(path)}, repeats, "opening")
    report = Report(f"open {path.name}, {path.stat().st_size / 1e6:.1f} MB")
    report.add("open", times["open"])
    report.show()


def _build(source: Path, model: str, threads: int) -> None:
    from mift_ros.cache.build import build_cache
    from mift_ros.cache.busy import WatchedEmbedder
    from mift_ros.cache.reader import MapCache
    from mift_ros.commands.machine import machine
    from mift_ros.inference.load import load_embedder
    from mift_ros.maps.open import open_map

    embedder = WatchedEmbedder(load_embedder(model, threads))
    with TemporaryDirectory() as folder:
        built = Path(folder) / "bench.cache"
        build_cache(open_map(source), embedder, built)
        tiles = len(MapCache.open(built))
    typer.echo(
        f"{source.name}: {tiles} tiles in {embedder.elapsed_s:.1f} s, {tiles / embedder.elapsed_s:.0f} per second, "
        f"embedder busy {embedder.share:.1%} of the time\n"
        f"peak memory of the process {peak_memory_mib():.0f} MiB\n{machine(*PACKAGES)}"
    )
