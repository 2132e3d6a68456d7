"""`mift train run` and `mift train evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Train MIFT weights on aerial imagery and evaluate them.", no_args_is_help=True)

DataOption = Annotated[Path, typer.Option("--data", help="Folder of the training images.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="Override a recipe key: optimizer.learning_rate=1e-3.")
]
SHIPPED_RECIPE = Path(__file__).parent / "recipes" / "first_weights.yaml"


@app.command()
def run(
    recipe: Annotated[Path, typer.Argument(help="Recipe YAML, for example training/recipes/first_weights.yaml.")],
    data: DataOption,
    out: Annotated[Path, typer.Option("--out", help="Run folder: weights, state, log and curves.")],
    overrides: SetOption = None,
    minutes: Annotated[float | None, typer.Option(help="Plan the run to take this long.", min=0.1)] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
) -> None:
    """Train a recipe; Ctrl-C saves, --resume goes on exactly there."""
    from training.loop.trainer import train
    from training.recipes.reader import load_recipe

    finished = train(load_recipe(recipe, tuple(overrides or ())), data, out, minutes, resume)
    typer.echo(f"{'trained' if finished else 'interrupted, resume with --resume'}: {out}")


@app.command()
def evaluate(
    weights: Annotated[Path, typer.Argument(help="Weights (.safetensors) of a run.")],
    data: DataOption,
    recipe: Annotated[Path, typer.Option(help="Recipe that names the held-out places.")] = SHIPPED_RECIPE,
    overrides: SetOption = None,
) -> None:
    """Recall of weights among the held-out places, under the recipe's fixed distortions."""
    from training.checkpoint import load_weights
    from training.evaluation.held_out import evaluate_held_out
    from training.recipes.reader import load_recipe

    model = load_weights(weights)
    result = evaluate_held_out(model, load_recipe(recipe, tuple(overrides or ())), data, model.config.input_size)
    recalls = "  ".join(f"recall@{k} {result.recall_at(k):.1%}" for k in (1, 5, 10))
    typer.echo(f"{result.places} held-out places  {recalls}  MRR {result.mean_reciprocal_rank:.3f}")
