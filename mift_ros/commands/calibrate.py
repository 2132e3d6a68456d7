"""`mift calibrate`: fit the covariance and the gate to flights with truth, and prove the fit on flights left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from mift_ros.calibration.plots import calibration_png
from mift_ros.calibration.proof import Proof
from mift_ros.calibration.run import FlightOver, Material, calibrate, collect
from mift_ros.commands.flights import read_configs, read_topics
from mift_ros.errors import ConfigError
from mift_ros.evaluation.metrics import GAUSS_SHARES
from mift_ros.files import write_file
from mift_ros.inference.load import load_embedder
from mift_ros.localization.calibration import NONE, Calibration

app = typer.Typer()
console = Console()


@app.command("calibrate")
def calibrate_command(
    bags: Annotated[list[str], typer.Argument(metavar="BAG[=CACHE]...", help="Flights with truth.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Calibration file; a picture is put beside it.")],
    cache: Annotated[Path | None, typer.Option(help="Map cache of the flights that name none.")] = None,
    wrong: Annotated[
        list[str] | None, typer.Option(metavar="BAG[=CACHE]", help="Flight whose false headings alone teach the gate.")
    ] = None,
    elsewhere: Annotated[list[Path] | None, typer.Option(help="Cache of other ground: all is wrong there.")] = None,
    model: Annotated[str, typer.Option(help="Packaged model or ONNX file.")] = "mift_nano",
    params: Annotated[Path | None, typer.Option(help="YAML of parameters, also the node's own file.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="One parameter.")] = None,
    topic: Annotated[list[str] | None, typer.Option(metavar="ROLE=TOPIC", help="Where several would do.")] = None,
    samples: Annotated[Path | None, typer.Option(help="Folder of finished flights  [default: OUT.samples]")] = None,
) -> None:
    """Every frame is matched by itself, and some with a false heading or over other ground, where all is wrong."""
    node, config = read_configs(params, settings or [])
    flights, of_wrong = ([_flight(word, cache) for word in words] for words in (bags, wrong or []))
    uncalibrated, topics = replace(config, calibration=NONE), read_topics(topic or [])
    embedder, camera = load_embedder(model, node.threads), (node.body_from_camera(), node.image_is_rectified)
    material = Material(flights, of_wrong, elsewhere or [], embedder, uncalibrated, topics, *camera)
    with _progress() as progress:
        found = collect(material, samples or out.with_name(out.name + ".samples"), progress)
    fitted, proof, curve = calibrate(found, material)
    write_file(out, fitted.to_yaml().encode())
    picture = out.with_suffix(".png")
    write_file(picture, calibration_png(curve, fitted, proof))
    _tell(fitted, proof)
    console.print(f"calibration: {out}, picture: {picture}", soft_wrap=True)


def _flight(word: str, cache: Path | None) -> FlightOver:
    bag, sign, own = word.partition("=")
    if sign and own:
        return FlightOver(Path(bag), Path(own))
    if cache is None:
        raise ConfigError(f"{word}: over which map? Give --cache CACHE, or {bag}=CACHE")
    return FlightOver(Path(bag), cache)


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar per flight."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:
        tasks = {}

        def update(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name)
            bars.update(tasks[name], completed=done, total=total)

        yield update


def _tell(fitted: Calibration, proof: Proof) -> None:
    """What was fitted and how it did on flights left out."""
    errors, facts = fitted.errors, fitted.provenance
    inside = " / ".join(f"{100 * share:.1f} %" for share in proof.within)
    wanted = " / ".join(f"{100 * share:.1f} %" for share in GAUSS_SHARES)
    rows = [
        ("clear right matches, flights", f"{proof.matches}, {proof.flights}"),
        ("alignment", f"{errors.alignment:.2f} x the error by noise"),
        ("residual per axis", f"{errors.residual_m:.2f} m"),
        ("by the ground's height", f"{errors.parallax_m:.2f} m x tangent of the tilt"),
        ("left of what shadows pull", f"{errors.pull:.2f} of what is seen of it"),
        ("moved by the scale's error", f"{errors.scale_share:.2f} of what it would move a plane"),
        ("attitude", f"{errors.attitude_rad * 57.2958:.2f} deg"),
        ("frames whose right place does not match best", f"{100 * fitted.lost_share:.1f} %"),
        ("temperature", f"{fitted.temperature:.4f}"),
        (
            "wrong matches",
            f"{facts['wrong_matches']}, the best {facts['greatest_wrong_significance']:.1f} sigma, "
            f"the clearest leads by {facts['greatest_wrong_lead']:.1f}",
        ),
    ]
    for one_in in (100, 1000, 10_000):
        lost_in = one_in * fitted.lost_share
        beyond = "" if lost_in <= facts["wrong_matches"] else " (extrapolated)"
        found = (
            f"lead {fitted.leads.threshold(lost_in):.2f} sigma; "
            f"where expected significance {fitted.expected.threshold(lost_in):.2f} sigma"
        )
        rows.append((f"1 false fix in {one_in} over the map", found + beyond))
    rows += [
        (f"held out: inside 1 / 2 / 3 sigma (right: {wanted})", inside),
        ("held out: NEES per degree of freedom (right: 1)", f"{proof.nees:.2f}; heading {proof.heading_nees:.2f}"),
    ]
    table = Table(show_header=False)
    for name, value in rows:
        table.add_row(name, value)
    console.print(table)
