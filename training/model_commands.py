"""`mift model`: what the network is made of."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(no_args_is_help=True)


@app.callback()
def model() -> None:
    """The MIFT network."""


@app.command()
def info(variant: Annotated[str, typer.Option(help="Variant to show; all of them when left out.")] = "") -> None:
    """Parts of the network with parameters and floating-point operations per image."""
    from training.model.config import VARIANTS
    from training.model.cost import PartCost, cost
    from training.model.mift import build

    console = Console()
    for name in [variant] if variant else VARIANTS:
        network = build(name)
        config = network.config
        table = Table(
            "part", title=f"{name}: {config.input_size}x{config.input_size} RGB in, {config.embedding_dim} out"
        )
        table.add_column("parameters", justify="right")
        table.add_column("MFLOP (2 x multiply-adds)", justify="right")
        rows: list[PartCost] = cost(network)
        for row in rows:
            table.add_row(row.part, f"{row.parameters:,}", f"{row.flops / 1e6:,.1f}", end_section=row is rows[-2])
        console.print(table)
