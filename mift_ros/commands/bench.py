"""`mift bench`: what this machine does, with the machine and the versions beside every table."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track
from rich.table import Table

from mift_ros.commands.bench_cache import cache
from mift_ros.commands.bench_haystack import haystack
from mift_ros.commands.bench_localization import localization
from mift_ros.commands.bench_speed import inference, pipeline, search
from mift_ros.commands.machine import machine
from mift_ros.commands.measure import PACKAGES
from mift_ros.commands.plain import plain_console

app = typer.Typer(no_args_is_help=True)
app.command()(localization)
app.command()(haystack)
app.command()(inference)
app.command()(search)
app.command()(pipeline)
app.command()(cache)

RECALL_AT = (1, 5, 10, 50, 200, 500)
Model = Annotated[str, typer.Option(help="Packaged model name or ONNX file.")]


@app.command()
def retrieval(
    bag: Annotated[Path, typer.Argument(help="rosbag2 folder, .mcap or .db3, with a truth.")],
    cache: Annotated[Path, typer.Option(help="Map cache made by `mift map build`.")],
    model: Model = "mift_nano",
    within_m: Annotated[float, typer.Option(min=1.0, help="A tile this near the truth is a right one.")] = 60.0,
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="One parameter.")] = None,
    topic: Annotated[list[str] | None, typer.Option(metavar="ROLE=TOPIC", help="Where several would do.")] = None,
) -> None:
    """Rank of the right tile among all of a map, for each frame alone; without its heading: --set use_heading=false."""
    from mift_ros.cache.reader import MapCache
    from mift_ros.commands.flights import open_flight, read_configs
    from mift_ros.evaluation.retrieval import Retrieval, recall
    from mift_ros.inference.load import load_embedder

    node, config = read_configs(None, settings or [])
    embedder, flight = load_embedder(model, node.threads), open_flight(bag, topic or [], node, config)
    opened = MapCache.open(cache, embedder.identity)
    found = []
    table = Table("frame", "rank", "its cosine", "best cosine", title=f"{bag.name} among {len(opened)} tiles")
    for ranked in track(Retrieval(opened, embedder, config, within_m).over(flight), "searching", flight.bag.frames):
        found.append(ranked)
        cells = [f"{ranked.rank:.0f}", f"{ranked.cosine:.3f}", f"{ranked.best_cosine:.3f}"]
        table.add_row(str(len(found)), *([ranked.problem, "", ""] if ranked.problem else cells))
    plain_console().print(table)
    shares = ", ".join(f"@{k} {recall(found, k):.0%}" for k in RECALL_AT)
    typer.echo(f"recall {shares} of {len(found)} frames; {statistics.median(f.seconds for f in found):.3f} s per frame")
    typer.echo(machine(*PACKAGES))
