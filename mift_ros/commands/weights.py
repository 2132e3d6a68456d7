"""`mift weights`: models beside the packaged one, installed before flight."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from mift_ros.commands.plain import plain_console
from mift_ros.errors import ModelError
from mift_ros.inference.installed import folder, installed_models, read_record, verify_installed
from mift_ros.inference.load import model_path, packaged_models
from mift_ros.inference.onnx import read_identity

app = typer.Typer(help="Models beside the packaged one.", no_args_is_help=True)


@app.command("list")
def list_() -> None:
    """Packaged and installed models; `--model NAME` of every command takes any of them."""
    table = Table("model", "variant", "input", "numbers", "MB", "weights", "from")
    for name in packaged_models():
        table.add_row(name, *_facts(model_path(name)), "the package")
    for name in installed_models():
        try:
            table.add_row(name, *_facts(model_path(name)), read_record(name).source)
        except ModelError as error:
            table.add_row(name, "", "", "", "", "", Text(str(error), "red"))
    console = plain_console()
    console.print(table)
    console.print(f"installed in {folder()}")


@app.command()
def install(
    source: Annotated[str, typer.Argument(help="ONNX file, or its https: or file: URL.")],
    name: Annotated[str, typer.Option(help="Name to install under  [default: that of the file]")] = "",
    sha256: Annotated[str, typer.Option(help="SHA-256 of the file  [default: from SOURCE.sha256]")] = "",
    max_mb: Annotated[int, typer.Option(min=1, help="Refuse anything larger, MB.")] = 1000,
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of a model of this name.")] = False,
) -> None:
    """Fetch a model, check its SHA-256 and that it is a model, then install it; its card (.md) comes along."""
    from mift_ros.inference.install import Wanted, install

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, transient=True) as bars:
        task = bars.add_task("fetching", total=None)
        named, record = install(
            Wanted(source, name, sha256, max_mb * 1_000_000, replace),
            lambda done, total: bars.update(task, completed=done, total=total or None),
        )
    typer.echo(
        f"{named}: {record.nbytes / 1e6:.1f} MB, weights {record.weights_sha256[:12]}; use it with --model {named}"
    )


@app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="Installed models  [default: all]")] = None,
) -> None:
    """Check that installed models are the files that were installed, and still models."""
    for name in names or installed_models():
        record = verify_installed(name)
        identity = read_identity(model_path(name))
        if identity.weights_sha256 != record.weights_sha256:
            raise ModelError(f"{name}: its weights are not those of its record; install it again with --replace")
        typer.echo(f"{name}: good; {identity.variant}, SHA-256 {record.sha256}")


def _facts(path: Path) -> tuple[str, ...]:
    identity = read_identity(path)
    size = path.stat().st_size / 1e6
    return (
        identity.variant, str(identity.input_size), str(identity.embedding_dim), f"{size:.1f}",
        identity.weights_sha256[:12],
    )  # fmt: skip
