"""`mift train data`: look into data sets, render one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from mift_ros.errors import TrainingError

data_app = typer.Typer(help="Check data sets, render a synthetic one.", no_args_is_help=True)


@data_app.command()
def check(
    folder: Annotated[Path, typer.Argument(help="Folder of University-1652, SUES-200, DenseUAV or a synthetic set.")],
    deep: Annotated[bool, typer.Option("--deep", help="Decode every image, not a sample.")] = False,
) -> None:
    """Count classes and images against the published ones; name what is missing, misnamed or damaged."""
    from rich.console import Console

    from training.data.multiview.check import check_dataset
    from training.data.multiview.check_report import print_report, show_decoding
    from training.data.multiview.layout import open_dataset

    report = check_dataset(open_dataset(folder), deep, show_decoding)
    print_report(report, Console())
    if report.errors:
        more = f" (and {len(report.errors) - 1} more above)" if len(report.errors) > 1 else ""
        raise TrainingError(f"{folder}: not usable as it is: {report.errors[0].text}{more}")
    typer.echo(f"{folder}: ready to train on and to evaluate")


@data_app.command()
def synthesize(
    out: Annotated[Path, typer.Argument(help="Folder of the set; an interrupted run goes on where it ended.")],
    train: Annotated[int | None, typer.Option(help="Buildings to train on [120; quick 100].")] = None,
    test: Annotated[int | None, typer.Option(help="Buildings to find, in other towns [60].")] = None,
    distractors: Annotated[int | None, typer.Option(help="Further buildings of the galleries [20].")] = None,
    views: Annotated[int | None, typer.Option(help="Drone views of each building [54; quick 18].")] = None,
    size: Annotated[int | None, typer.Option(help="Side of an image, pixels [512; quick 256].")] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed gives other towns [0].")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="The small set for comparing methods.")] = False,
    processes: Annotated[int, typer.Option(help="Processes to render with.", min=1, max=64)] = 2,
) -> None:
    """Render a set in the layout of University-1652: satellite views and drone spirals over procedural towns."""
    from training.data.synthetic.generate import synthesize as render
    from training.data.synthetic.spec import QUICK, SetSpec

    given = {
        "train": train, "test": test, "distractors": distractors, "views": views, "size_px": size, "seed": seed,
    }  # fmt: skip
    changes = {key: value for key, value in given.items() if value is not None}
    spec = replace(QUICK if quick else SetSpec(), **changes)
    try:
        images = render(out, spec, processes)
    except KeyboardInterrupt:
        typer.echo(f"{out}: interrupted; finished buildings are kept, run the same command to go on", err=True)
        raise typer.Exit(130) from None
    typer.echo(
        f"{out}: {spec.train} training, {spec.test} test and {spec.distractors} distractor buildings, "
        f"{spec.views} drone views each, {spec.size_px} px; {images} of {spec.images} images rendered now"
    )


@data_app.command()
def pairs(
    out: Annotated[Path, typer.Argument(help="Folder of the shards; an interrupted run goes on where it ended.")],
    places: Annotated[int, typer.Option(help="Pairs in all.")] = 12500,
    per_world: Annotated[int, typer.Option(help="Pairs of each world: towns, villages, fields, woods, lakes.")] = 250,
    size: Annotated[int, typer.Option(help="Side of an image, pixels.")] = 192,
    seed: Annotated[int, typer.Option(help="Another seed gives other worlds.")] = 0,
    processes: Annotated[int, typer.Option(help="Processes to render with.", min=1, max=64)] = 2,
) -> None:
    """Render map tiles and rectified drone views of procedural worlds: pairs with real parallax."""
    from training.data.pairs.render import render_pairs
    from training.data.pairs.spec import PairsSpec

    spec = PairsSpec(places, per_world, size, seed)
    try:
        rendered = render_pairs(out, spec, processes)
    except KeyboardInterrupt:
        typer.echo(f"{out}: interrupted; finished worlds are kept, run the same command to go on", err=True)
        raise typer.Exit(130) from None
    typer.echo(f"{out}: {spec.places} pairs of {len(spec.worlds())} worlds, {spec.size_px} px; {rendered} rendered now")
