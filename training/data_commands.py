"""`mift train data`: look into data sets, render one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

data_app = typer.Typer(help="Check data sets, render a synthetic one.", no_args_is_help=True)


@data_app.callback()
def data() -> None:
    """Keep the sub-commands apart, however few there are."""


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
    images = render(out, spec, processes)
    typer.echo(
        f"{out}: {spec.train} training, {spec.test} test and {spec.distractors} distractor buildings, "
        f"{spec.views} drone views each, {spec.size_px} px; {images} of {spec.images} images rendered now"
    )
