"""`mift bench curves`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from training.evaluation.curve_report import Recalls
    from training.evaluation.curves import Measurement
    from training.evaluation.matchers import Matcher
    from training.evaluation.two_sources import TwoSources
    from training.recipes.data_schema import SourceSpec

PAIR_SIDES_M = (36.0, 50.0, 72.0)
TABLE_WIDTH = 160
"""The tables are not squeezed into less, as in a log."""


def curves(
    models: Annotated[list[str], typer.Argument(help="Models side by side: .onnx, .safetensors or packaged names.")],
    data: Annotated[Path, typer.Option("--data", help="Folder of the images that the recipe names.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of curves.json, curves.md and curves.png.")],
    recipe: Annotated[Path, typer.Option(help="Recipe that names the held-out places.")] = Path("first_weights"),
    overrides: Annotated[list[str] | None, typer.Option("--set", help="Change a key of the recipe.")] = None,
    classical: Annotated[bool, typer.Option(help="Gradient-orientation correlation on the same views.")] = True,
    pair: Annotated[
        tuple[Path, Path, float] | None,
        typer.Option(metavar="SEEN MAP GSD_M", help="Two images of one place, pixel for pixel: a flight's, a map's."),
    ] = None,
    queries: Annotated[int, typer.Option(min=2, help="Queries of each condition.")] = 300,
    tiles: Annotated[int, typer.Option(min=2, help="Tiles they are looked for among.")] = 600,
) -> None:
    """Recall on held-out places over heading error, scale error, tile size and gallery size."""
    from rich.console import Console

    from mift_ros.commands.machine import machine
    from training.data.orthophotos.imagery import load_imagery
    from training.evaluation.curve_report import curve_table, make_folder, recall_table, write_curves
    from training.evaluation.curves import Measurement, Plan
    from training.evaluation.held_out import held_out_sources
    from training.evaluation.matchers import open_matchers
    from training.evaluation.orientation import OrientationMatcher
    from training.evaluation.progress import progress_bar
    from training.evaluation.two_sources import open_two_sources
    from training.recipes.reader import load_recipe

    matchers: list[Matcher] = [*open_matchers(models), *([OrientationMatcher()] if classical else [])]
    sources, views = held_out_sources(load_recipe(recipe, tuple(overrides or ())))
    two = open_two_sources(*pair) if pair else None
    make_folder(out)
    plan = Plan(queries, tiles)
    measured = Measurement(matchers, load_imagery(data, sources, views.finest_gsd_m), views, plan)
    with progress_bar("measuring") as progress:
        done = iter(range(1, 1 + len(matchers) * plan.conditions))
        found = measured.run(lambda: progress(next(done), len(matchers) * plan.conditions))
    recalls = {
        "by source, @1, among all": _by_source(measured, sources),
        "AUROC of what tells a found query, among all": measured.auroc,
    }
    if two is not None:
        recalls["two sources of one place"] = _two_sources(two, matchers, measured)
    tables = [*map(curve_table, found), *(recall_table(title, rows) for title, rows in recalls.items())]
    console = Console(width=max(Console().width, TABLE_WIDTH))
    for table in tables:
        console.print(table)
    about = {"command": shlex.join(["mift", *sys.argv[1:]]), "machine": " / ".join(machine("numpy").splitlines())}
    cost = f"CPU ms of a query among {measured.tiles} tiles seen before"
    about[cost] = ", ".join(f"{method} {1e3 * seconds:.1f}" for method, seconds in measured.cpu_s.items())
    typer.echo(f"{cost}: {about[cost]}")
    write_curves(out, about, found, tables, recalls)
    typer.echo(f"{out}: curves.json, curves.md, curves.png")


def _by_source(measured: Measurement, sources: Sequence[SourceSpec]) -> Recalls:
    groups = measured.by_group()
    return {
        method: {f"{sources[group].images} ({of.sum()})": float((ranks[of] < 1).mean()) for group, of in groups.items()}
        for method, ranks in measured.ranks.items()
    }


def _two_sources(two: TwoSources, matchers: Sequence[Matcher], measured: Measurement) -> Recalls:
    """Recall by size of tile, among the grid of the place and the held-out tiles."""
    rows: Recalls = {}
    for matcher in matchers:
        rows[matcher.name] = {}
        for side_m in PAIR_SIDES_M:
            ranks = two.ranks(matcher, side_m, measured.distractors(matcher.size))
            for k in (1, 5):
                rows[matcher.name][f"{side_m:g} m @{k} ({len(ranks)})"] = float((ranks < k).mean())
    return rows
