"""`mift export`: weights to the formats of the runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
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
