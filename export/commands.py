"""`mift export`: weights to the formats of the runtimes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

app = typer.Typer(no_args_is_help=True)


@app.callback()
def export() -> None:
    """Weights to the formats of the runtimes."""


@app.command("onnx")
def onnx_(
    weights: Annotated[
        str, typer.Argument(help="Checkpoint (.safetensors), or a variant such as mift_nano: untrained.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="ONNX file to write.")],
    seed: Annotated[int, typer.Option(help="Seed of an untrained variant.")] = 0,
) -> None:
    """Export to ONNX and compare with PyTorch at batch 1, 2 and 7; nothing is written when they differ."""
    from export.onnx import check_output, to_onnx, write
    from export.parity import compare, require
    from export.weights import load

    check_output(output)
    model, identity = load(weights, seed)
    proto = to_onnx(model, identity)
    results = compare(model, proto)
    table = Table("batch", "max |difference|", "min cosine", title=f"{identity.variant}: PyTorch vs ONNX Runtime")
    for result in results:
        table.add_row(str(result.batch), f"{result.max_difference:.1e}", f"{result.min_cosine:.7f}")
    console = Console()
    console.print(table)
    require(results)
    write(proto, output)
    console.print(f"{output}: {output.stat().st_size / 1e6:.1f} MB, weights {identity.weights_sha256[:12]}")


@app.command()
def tensorrt(
    model: Annotated[str, typer.Argument(help="ONNX file, or name of a packaged model.")],
    precision: Annotated[
        str, typer.Option(help="fp32; fp16 with norms, softmax and sums in float32; int8 of a quantised ONNX file.")
    ] = "fp16",
    batch: Annotated[str, typer.Option(help="Batches to tune for; every size up to the last will run.")] = "1,36,108",
    workspace_mib: Annotated[int, typer.Option(min=16, help="GPU memory for trying layers out, MiB.")] = 1024,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of the engines  [default: the user's store]")
    ] = None,
) -> None:
    """Build a TensorRT engine for this GPU, unless the store has it; says why it builds."""
    from export.tensorrt import build, why_build
    from export.tensorrt_builder import Request
    from mift_ros.inference.load import model_path
    from mift_ros.inference.profiles import parse_batches
    from mift_ros.inference.tensorrt import open_engine_file, this_platform

    request = Request(model_path(model), precision, parse_batches(batch), workspace_mib, output)
    platform = this_platform()
    reason = why_build(request, platform)
    console = Console()
    if reason is None:
        console.print(f"{request.path}: up to date for TensorRT {platform.tensorrt} on {platform.gpu}")
        return
    console.print(f"building for TensorRT {platform.tensorrt} on {platform.gpu}, some minutes: {reason}")
    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()) as bars:
        build(request, platform, _bars(bars))
    open_engine_file(request.path).close()
    console.print(f"{request.path}: {request.path.stat().st_size / 1e6:.1f} MB, loaded and tried")


def _bars(bars: Progress) -> Callable[[str, int, int], None]:
    """A bar for each phase of the builder."""
    tasks: dict[str, TaskID] = {}

    def show(phase: str, done: int, total: int) -> None:
        if phase not in tasks:
            tasks[phase] = bars.add_task(phase, total=total)
        bars.update(tasks[phase], completed=done, total=total)

    return show
