"""`mift export`: weights to the formats of the runtimes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from mift_ros.cache.build import DEFAULT_TILE_SIZE_M
from mift_ros.errors import ExportError, ModelError

app = typer.Typer(no_args_is_help=True)

Images = Annotated[
    list[str],
    typer.Option("--images", "-i", help="Map, folder of GeoTIFFs, or images with metres per pixel: PATH=0.6; repeat."),
]
TileSize = Annotated[float, typer.Option(min=1.0, help="Side of a tile, m, as of the cache.")]


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
    from export.model_file import check_output, write
    from export.onnx import to_onnx
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
def fp16(
    model: Annotated[str, typer.Argument(help="Float32 ONNX file, or name of a packaged model.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="ONNX file to write.")],
) -> None:
    """Products in float16, norms, softmax and sums in float32: for ONNX Runtime on a GPU. Check it before it flies."""
    from export.half import to_half
    from export.model_file import check_output, name_precision, read_float_model, write
    from mift_ros.inference.load import model_path

    check_output(output)
    proto, identity = read_float_model(model_path(model))
    half = to_half(proto)
    name_precision(half, identity, "fp16")
    write(half, output)
    _tell_next(output, model)


@app.command()
def int8(
    model: Annotated[str, typer.Argument(help="Float32 ONNX file, or name of a packaged model.")],
    images: Images,
    output: Annotated[Path, typer.Option("--output", "-o", help="ONNX file to write.")],
    tile_size: TileSize = DEFAULT_TILE_SIZE_M,
    tiles: Annotated[int, typer.Option(min=8, help="Tiles to calibrate with, each as map and as camera.")] = 64,
    seed: Annotated[int, typer.Option(help="Another seed draws other tiles.")] = 0,
) -> None:
    """Quantise to int8 for ONNX Runtime and TensorRT, calibrated over real ground. Check it before it flies."""
    import numpy as np

    from export.imagery import draw_pairs
    from export.model_file import check_output, name_precision, read_float_model, write
    from export.quantise import to_int8
    from mift_ros.inference.load import model_path
    from mift_ros.inference.preprocess import Preprocessor

    check_output(output)
    proto, identity = read_float_model(model_path(model))
    with _progress() as bars:
        show = _bars(bars)
        pairs = draw_pairs(images, identity.input_size, tile_size, tiles, seed, partial(show, "drawing tiles"))
        both = Preprocessor(identity)(np.concatenate([pairs.tiles, pairs.looks]))
        quantised = to_int8(proto, both, partial(show, "calibrating"))
    name_precision(quantised, identity, "int8")
    write(quantised, output)
    _tell_next(output, model)


@app.command()
def check(
    models: Annotated[list[str], typer.Argument(help="ONNX files and engines, or names of packaged models.")],
    against: Annotated[
        str, typer.Option(help="Their reference: a checkpoint (.safetensors), or the float32 ONNX model or its name.")
    ],
    images: Images,
    tile_size: TileSize = DEFAULT_TILE_SIZE_M,
    tiles: Annotated[int, typer.Option(min=100, help="Tiles of the gallery, and queries.")] = 500,
    seed: Annotated[int, typer.Option(help="Another seed draws other tiles; not the one of the calibration.")] = 1,
) -> None:
    """Compare embeddings and rankings over real ground; NAME.check.json beside each says whether it may fly."""
    from export.agreement_table import print_table
    from export.check import check as check_one
    from export.check import embed, open_any, require_same_weights
    from export.imagery import draw_pairs

    opened, reference = [open_any(name) for name in models], open_any(against)
    for model in opened:
        require_same_weights(model, reference)
    size = reference[1].identity.input_size
    with _progress() as bars:
        show = _bars(bars)
        pairs = draw_pairs(images, size, tile_size, tiles, seed, partial(show, "drawing tiles"))
        expected = embed(reference[1], pairs, partial(show, reference[0].name))
        reports = [
            check_one(model, reference, expected, pairs, images, partial(show, model[0].name)) for model in opened
        ]
    print_table(reports, Console())
    failed = [report for report in reports if report.failures]
    if failed:
        raise ExportError("; ".join(f"{report.model}: {', '.join(report.failures)}" for report in failed))


def _tell_next(output: Path, model: str) -> None:
    size = output.stat().st_size / 1e6
    typer.echo(f"{output}: {size:.1f} MB; now 'mift export check {output} --against {model} --images ...'")


def _progress() -> Progress:
    return Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())


@app.command()
def tensorrt(
    model: Annotated[str, typer.Argument(help="ONNX file, or name of a packaged model.")],
    precision: Annotated[
        str, typer.Option(help="fp32; fp16 with norms, softmax and sums in float32; int8 of a quantised ONNX file.")
    ] = "fp16",
    batch: Annotated[str, typer.Option(help="Batches to tune for; every size up to the last will run.")] = "1,3,54",
    workspace_mib: Annotated[int, typer.Option(min=16, help="GPU memory for trying layers out, MiB.")] = 1024,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of the engines  [default: the user's store]")
    ] = None,
) -> None:
    """Build a TensorRT engine for this GPU, unless the store has it; says why it builds."""
    from export.tensorrt import build, why_build
    from export.tensorrt_builder import Request
    from mift_ros.inference.engines import record_path
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
    with _progress() as bars:
        build(request, platform, _bars(bars))
    try:
        open_engine_file(request.path).close()
    except ModelError as error:
        for path in (record_path(request.path), request.path):  # or the next call finds it up to date
            path.unlink(missing_ok=True)
        raise ExportError(f"{error}; the engine is not kept") from error
    console.print(f"{request.path}: {request.path.stat().st_size / 1e6:.1f} MB, loaded and tried")


def _bars(bars: Progress) -> Callable[[str, int, int], None]:
    """A bar for each phase of the builder."""
    tasks: dict[str, TaskID] = {}

    def show(phase: str, done: int, total: int) -> None:
        if phase not in tasks:
            tasks[phase] = bars.add_task(phase, total=total)
        bars.update(tasks[phase], completed=done, total=total)

    return show
