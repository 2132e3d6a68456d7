"""`mift train evaluate`, `sheets`, `heatmaps` and `headings`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from training.data.multiview.dataset import MultiviewDataset, Task

SET_HELP = "Override a recipe key: evaluation.places=100."
WeightsArgument = Annotated[
    str, typer.Argument(help="Weights of a run (.safetensors), an exported model (.onnx) or a packaged one's name.")
]
TestSetOption = Annotated[Path, typer.Option("--data", help="Folder of the data set.")]
FlipOption = Annotated[bool, typer.Option("--flip", help="Sum the embeddings of each image and its mirror image.")]
WorkersOption = Annotated[int, typer.Option(help="Threads that decode images.", min=1)]
MostOption = Annotated[
    int, typer.Option(help="Most queries and, but for one per class, gallery images; 0 for all.", min=0)
]
PngOption = Annotated[Path, typer.Option("--out", help="Picture to write (.png).")]
SeedOption = Annotated[int, typer.Option(help="Seed of what is drawn.")]


def evaluate(
    weights: WeightsArgument,
    data: TestSetOption,
    flip: FlipOption = False,
    sdm: Annotated[bool, typer.Option("--sdm", help="SDM@K too; the set must have positions.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Write the figures too (.csv or .json).")] = None,
    images: MostOption = 0,
    seed: SeedOption = 0,
    workers: WorkersOption = 2,
    recipe: Annotated[Path | None, typer.Option(help="For orthophotos: recipe that names the held-out places.")] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", help=SET_HELP)] = None,
) -> None:
    """Recall and average precision on a test split, or (--recipe) among the held-out places of orthophotos."""
    _only_of_its_kind(
        recipe is not None, bool(overrides), {"--flip": flip, "--sdm": sdm, "--out": out, "--images": images}
    )
    if recipe:
        return _evaluate_orthophotos(weights, data, recipe, tuple(overrides or ()))
    from rich.console import Console

    from training.evaluation.extract import open_encoder
    from training.evaluation.progress import progress_bar
    from training.evaluation.protocol import embed_tasks, evaluate_tasks, thinned_tasks
    from training.evaluation.report import FIGURE_SUFFIXES, check_output, sdm_row, table, task_row, write_rows
    from training.evaluation.sdm import sdm_of_task

    if out:
        check_output(out, FIGURE_SUFFIXES)
    dataset = _open(data)
    tasks = thinned_tasks(dataset.tasks(), images, seed)
    positions = dataset.positions("test") if sdm else {}
    encoder = open_encoder(weights)
    with progress_bar("embedding") as progress:
        embedded = embed_tasks(encoder, tasks, flip=flip, workers=workers, progress=progress)
    result = evaluate_tasks(embedded, tasks)
    rows = [task_row(task) for task in result.tasks]
    caption = f"{'with' if flip else 'without'} flip averaging, {result.images_per_s:.0f} img/s"
    console = Console()
    console.print(table(rows, f"{dataset.name}, %", f"{caption}, thinned to {images} images" if images else caption))
    if sdm:
        distances = [sdm_row(task.name, sdm_of_task(task, embedded, positions)) for task in tasks]
        console.print(table(distances, "SDM@K, %"))
        rows = [{**row, **distance} for row, distance in zip(rows, distances)]
    if out:
        write_rows(rows, out)


def sheets(
    weights: WeightsArgument,
    data: TestSetOption,
    out: PngOption,
    rows: Annotated[int, typer.Option(help="Queries of each direction.", min=1)] = 6,
    images: MostOption = 0,
    flip: FlipOption = False,
    seed: SeedOption = 0,
    workers: WorkersOption = 2,
) -> None:
    """Queries with the first five of their rankings, right ones framed green, wrong ones red (Fig. 12)."""
    from training.evaluation.extract import open_encoder
    from training.evaluation.progress import progress_bar
    from training.evaluation.protocol import embed_tasks, thinned, thinned_tasks
    from training.evaluation.report import PICTURE_SUFFIXES, check_output
    from training.evaluation.sheets import draw_sheets, make_sheet

    check_output(out, PICTURE_SUFFIXES)
    directions = thinned_tasks(_open(data).tasks(), images, seed)[:2]
    chosen = tuple(replace(task, queries=thinned(task.queries, rows, seed)) for task in directions)
    encoder = open_encoder(weights)
    with progress_bar("embedding") as progress:
        embedded = embed_tasks(encoder, chosen, flip=flip, workers=workers, progress=progress)
    draw_sheets([make_sheet(task, embedded) for task in chosen], out)
    typer.echo(f"{out}: {' and '.join(task.name for task in chosen)}, {rows} queries each")


def heatmaps(
    weights: Annotated[Path, typer.Argument(help="Weights (.safetensors) of a run.")],
    pictures: Annotated[list[Path], typer.Argument(metavar="IMAGES...", help="Images to look at.")],
    out: PngOption,
) -> None:
    """Heat of stage 4, fused features and regions over images (Fig. 11)."""
    from training.checkpoint import load_weights
    from training.evaluation.heatmaps import draw_heat_maps
    from training.evaluation.report import PICTURE_SUFFIXES, check_output

    check_output(out, PICTURE_SUFFIXES)
    draw_heat_maps(load_weights(weights), pictures, out)
    typer.echo(f"{out}: {len(pictures)} images")


def headings(
    weights: WeightsArgument,
    data: TestSetOption,
    out: PngOption,
    step_deg: Annotated[int, typer.Option(help="Degrees between turns.", min=1, max=180)] = 15,
    images: MostOption = 500,
    flip: FlipOption = False,
    seed: SeedOption = 0,
    workers: WorkersOption = 2,
) -> None:
    """Recall of drone->satellite over the heading: the queries turned step by step."""
    from rich.console import Console

    from training.evaluation.extract import open_encoder
    from training.evaluation.headings import plot_headings, sweep
    from training.evaluation.progress import progress_bar
    from training.evaluation.protocol import thinned_tasks
    from training.evaluation.report import PICTURE_SUFFIXES, check_output, ranking_columns, table

    check_output(out, PICTURE_SUFFIXES)
    dataset = _open(data)
    task = _drone_to_satellite(thinned_tasks(dataset.tasks(), images, seed))
    encoder = open_encoder(weights)
    with progress_bar("turning") as progress:
        found = sweep(encoder, task, step_deg, flip=flip, workers=workers, progress=progress)
    title = f"{dataset.name}, {task.name}, {len(task.queries)} queries"
    Console().print(table([{"turn, deg": each.turn_deg, **ranking_columns(each.ranking)} for each in found], title))
    plot_headings(found, out, title)
    typer.echo(f"{out}: the curve")


def _only_of_its_kind(orthophotos: bool, overrides: bool, of_multiview: dict[str, object]) -> None:
    """Refuse options that the evaluation of this kind of data would not heed."""
    from mift_ros.errors import TrainingError

    if overrides and not orthophotos:
        raise TrainingError("--set changes a recipe; give the recipe of the orthophotos too: --recipe FILE")
    given = [option for option, value in of_multiview.items() if value]
    if orthophotos and given:
        raise TrainingError(f"{given[0]} is for multi-view sets; --recipe evaluates held-out places of orthophotos")


def _evaluate_orthophotos(weights: str, data: Path, recipe: Path, overrides: tuple[str, ...]) -> None:
    from training.evaluation.extract import load_network
    from training.evaluation.held_out import evaluate_held_out
    from training.recipes.reader import load_recipe

    model = load_network(Path(weights))
    result = evaluate_held_out(model, load_recipe(recipe, overrides), data, model.config.input_size)
    recalls = "  ".join(f"recall@{k} {result.recall_at(k):.1%}" for k in (1, 5, 10))
    typer.echo(f"{result.places} held-out places  {recalls}  MRR {result.mean_reciprocal_rank:.3f}")


def _open(data: Path) -> MultiviewDataset:
    from mift_ros.errors import TrainingError
    from training.data.multiview.layout import open_dataset

    try:
        return open_dataset(data)
    except TrainingError as error:
        raise TrainingError(f"{error}; held-out places of orthophotos: mift train evaluate --recipe") from error


def _drone_to_satellite(tasks: tuple[Task, ...]) -> Task:
    from training.evaluation.protocol import DRONE_TO_SATELLITE

    return next(task for task in tasks if task.name.startswith(DRONE_TO_SATELLITE))
