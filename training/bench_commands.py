"""Commands that training adds to `mift bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table


def attention(
    variant: Annotated[str, typer.Option(help="Variant whose attention is exchanged.")] = "mift_s",
    images: Annotated[int, typer.Option(min=1, help="Images of a round, one after another.")] = 10,
    rounds: Annotated[int, typer.Option(min=1, help="Timed rounds; the median is shown.")] = 5,
    device: Annotated[str, typer.Option(help="Device of PyTorch: cpu, cuda, cuda:1.")] = "cpu",
) -> None:
    """Table 8: time of the network with MHA, PVT, Swin and GLRA, beside the paper's."""
    import torch

    from mift_ros.commands.machine import machine
    from training.model.config import AttentionKind
    from training.model.mift import build
    from training.tables.attention_time import PAPER_SECONDS, time_attention, usable_device

    found = usable_device(device)
    rows = time_attention(build(variant).config, images, rounds, found)
    unit = next(row.seconds for row in rows if row.kind is AttentionKind.GLRA)
    table = Table("attention", title=f"{variant} on {found}: {images} images one by one, median of {rounds} rounds")
    for column in ("parameters", "GFLOP / image", "s", "ratio", "paper: s", "ratio"):
        table.add_column(column, justify="right")
    for row in rows:
        paper = PAPER_SECONDS[row.kind]
        table.add_row(
            row.kind.name, f"{row.parameters / 1e6:.1f} M", f"{row.flops / 1e9:.2f}", f"{row.seconds:.3f}",
            f"{row.seconds / unit:.2f}", str(paper), f"{paper / PAPER_SECONDS[AttentionKind.GLRA]:.2f}",
        )  # fmt: skip
    Console().print(table)
    Console().print(f"{machine('torch')}, {torch.get_num_threads()} threads of PyTorch")


def tables(
    data: Annotated[Path, typer.Option("--data", help="Multi-view set: University-1652 or a synthetic one.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the runs, results.json and results.md.")],
    quick: Annotated[bool, typer.Option("--quick", help="A small trunk and few steps, for a CPU.")] = False,
    only: Annotated[str, typer.Option(help="Of methods, k, kernels, attention, regions; all when left out.")] = "",
    steps: Annotated[
        int | None, typer.Option(min=1, help="Steps of 24 rows; rows of other batches see as many images.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each row; mean and deviation are shown.")] = 1,
    init: Annotated[
        Path | None, typer.Option("--init", help="Weights of the stages for every row, instead of a common trunk.")
    ] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="Change every recipe alike: workers=2.")] = None,
) -> None:
    """Tables 3, 5, 6, 7 and Fig. 13: train every row alike and print it beside the paper's figures.

    Ctrl-C saves; the same command goes on, and what is finished is not done again.
    """
    from training.tables.compare import chosen, compare, settings

    given = settings(quick, steps, seeds, overrides or (), init)
    if not compare(chosen(only), given, data, out, Console()):
        typer.echo(f"interrupted; the same command goes on in {out}")
        raise typer.Exit(130)


def parts(
    data: Annotated[Path, typer.Option("--data", help="Folder of the training images.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the runs, parts.json and parts.md.")],
    recipe: Annotated[Path, typer.Option(help="Recipe of orthophotos that every row trains by.")] = Path(
        "first_weights"
    ),
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each row.")] = 1,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Change the recipe of every row: variant=mift_pico.")
    ] = None,
) -> None:
    """MIFT's parts each taken away: every row trained alike, recall on held-out places beside its cost.

    Ctrl-C saves; the same command goes on, and what is finished is not done again.
    """
    from mift_ros.commands.machine import machine
    from training.tables.parts import Interrupted, run_parts
    from training.tables.parts_report import Results, terminal_table, write_results

    changes, console, results = tuple(overrides or ()), Console(), Results()
    about = {
        "recipe": recipe.stem,
        "changes": " ".join(changes) or "none",
        "machine": " / ".join(machine("torch", "numpy").splitlines()),
    }
    try:
        for label, result in run_parts(recipe, changes, data, out, seeds, lambda text: console.print(text)):
            results.setdefault(label, []).append(result)
            write_results(out, results, about)
    except Interrupted as error:
        typer.echo(f"interrupted; the same command goes on in {out}")
        raise typer.Exit(130) from error
    console.print(terminal_table(results, f"{recipe.stem}: parts taken away"))


def train(
    data: Annotated[Path, typer.Option("--data", help="What the recipe trains on.")],
    recipe: Annotated[str, typer.Option(help="Recipe whose step is timed.")] = "paper",
    steps: Annotated[int, typer.Option(min=3, help="Timed steps of each kind; the median counts.")] = 8,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="Override a recipe key.")] = None,
) -> None:
    """A training step: plain float32, as trained in float32 and bfloat16; where its time goes, data included."""
    import torch

    from mift_ros.commands.machine import machine
    from training.loop.processes import make_accelerator
    from training.loop.step_time import matrix_rate, step_flops, time_steps
    from training.recipes.reader import load_recipe

    chosen = load_recipe(Path(recipe), tuple(overrides or ()))
    rows = time_steps(chosen, data, steps)
    device = make_accelerator().device
    title = f"{chosen.name} {chosen.variant} on {device}: {rows[0].images} images a step, {steps} steps"
    table = Table("step, as trained", title=title)
    for column in ("img/s", "ratio", "data", "forward", "backward", "update", "of matrix rate"):
        table.add_column(column, justify="right")
    for row in rows:
        precision = torch.bfloat16 if row.label.endswith("bfloat16") else torch.float32
        share = step_flops(chosen, row.images) / row.seconds / matrix_rate(precision, device)
        parts = [f"{row.share(part):.0%}" for part in ("wait", "forward", "backward", "update")]
        ratio = row.images_per_s / rows[0].images_per_s
        table.add_row(row.label, f"{row.images_per_s:.2f}", f"{ratio:.2f}", *parts, f"{share:.0%}")
    Console().print(table)
    Console().print(f"{machine('torch')}, {torch.get_num_threads()} threads of PyTorch")
