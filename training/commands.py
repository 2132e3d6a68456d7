"""`mift train`: run, and what evaluation_commands.py adds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.data_commands import data_app
from training.evaluation_commands import evaluate, headings, heatmaps, sheets

app = typer.Typer(help="Train MIFT weights on aerial imagery and evaluate them.", no_args_is_help=True)

DataOption = Annotated[Path, typer.Option("--data", help="Folder of the training images.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="Override a recipe key: optimizer.learning_rate=1e-3.")
]


@app.command()
def run(
    recipe: Annotated[Path, typer.Argument(help="Recipe YAML, for example training/recipes/first_weights.yaml.")],
    data: DataOption,
    out: Annotated[Path, typer.Option("--out", help="Run folder: weights, state, log and curves.")],
    overrides: SetOption = None,
    minutes: Annotated[float | None, typer.Option(help="Plan the run to take this long.", min=0.1)] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    init: Annotated[
        Path | None,
        typer.Option("--init", help="Weights to begin with: .safetensors, .onnx, mift_nano, CrossFormer .pth."),
    ] = None,
) -> None:
    """Train a recipe; Ctrl-C saves, --resume goes on exactly there. Started by torchrun it takes all processes."""
    from training.loop.processes import leave
    from training.loop.trainer import train
    from training.recipes.reader import load_recipe

    finished = train(load_recipe(recipe, tuple(overrides or ())), data, out, minutes, resume, init)
    if leave():
        typer.echo(f"{'trained' if finished else 'interrupted, resume with --resume'}: {out}")


for command in (evaluate, sheets, heatmaps, headings):
    app.command()(command)
app.add_typer(data_app, name="data")
