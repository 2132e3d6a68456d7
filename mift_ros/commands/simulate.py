"""`mift simulate`: fly a camera over a map and record a bag."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from mift_ros.commands.plain import plain_console
from mift_ros.errors import SimulationError
from mift_ros.evaluation.settings import read_settings
from mift_ros.files import claim_folder
from mift_ros.simulation.disturbances import Disturbances, Phase
from mift_ros.simulation.flight import FlightPlan, simulate
from mift_ros.simulation.record import Storage
from mift_ros.simulation.trajectory import Pattern

app = typer.Typer(no_args_is_help=True)
console = plain_console()
TOWN_MARK = ".mift-town"


class Heading(str, Enum):
    """Whether the heading of the telemetry is to be used."""

    KNOWN = "known"
    UNKNOWN = "unknown"


@app.command("simulate")
def simulate_command(
    map_path: Annotated[Path | None, typer.Argument(metavar="MAP", help="Any map `mift map build` reads.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder of the rosbag2 to write.")] = None,
    town: Annotated[Path | None, typer.Option(help="Make a town in this new folder and fly over it instead.")] = None,
    size_m: Annotated[float, typer.Option(help="Side of the town.")] = 1200.0,
    look: Annotated[Path | None, typer.Option(help="Another picture of the same ground, for the camera.")] = None,
    heights: Annotated[Path | None, typer.Option(help="GeoTIFF, m above the ellipsoid: surface[, terrain].")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same town and flight.")] = 0,
    minutes: Annotated[float, typer.Option(help="Length of the flight.")] = 2.0,
    rate_hz: Annotated[float, typer.Option(help="Images per second.")] = 2.0,
    height_agl_m: Annotated[float, typer.Option(help="Height above ground, followed.")] = 120.0,
    speed_mps: Annotated[float, typer.Option(help="Ground speed.")] = 12.0,
    pattern: Annotated[Pattern, typer.Option(help="Path of the flight.")] = Pattern.WANDER,
    heading: Annotated[Heading, typer.Option(help="Whether the IMU gives a true heading.")] = Heading.KNOWN,
    width: Annotated[int, typer.Option(help="Image width, pixels.")] = 640,
    height: Annotated[int, typer.Option(help="Image height, pixels.")] = 480,
    hfov_deg: Annotated[float, typer.Option(help="Horizontal field of view.")] = 70.0,
    compressed: Annotated[bool, typer.Option(help="JPEG images instead of raw ones.")] = False,
    storage: Annotated[Storage, typer.Option(help="rosbag2 storage.")] = Storage.MCAP,
    snow_cover: Annotated[float, typer.Option(help="Share of the ground under snow.")] = 0.0,
    dry_share: Annotated[float, typer.Option(help="Share by which the vegetation is dry.")] = 0.0,
    disturb: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="What goes wrong: docs/stress.md names it all.")
    ] = None,
) -> None:
    """Fly over a map. Without --look, its own pixels are given another light, season and sensor."""
    trouble = Disturbances.from_mapping(read_settings(None, disturb or [], "--disturb"))
    plan = FlightPlan(
        seed, minutes, rate_hz, height_agl_m, speed_mps, pattern, heading is Heading.KNOWN, width, height, hfov_deg,
        compressed, storage, snow_cover=snow_cover, dry_share=dry_share, phases=(Phase(60 * minutes, trouble),),
    )  # fmt: skip
    if (map_path is None) == (town is None):
        raise SimulationError("give either the MAP to fly over or --town DIR to make one")
    if town is not None:
        map_path, look, heights = _make_town(town, seed, size_m)
    if map_path is None or out is None:
        return
    with Progress(console=console) as progress:
        task = progress.add_task("flying", total=None)
        simulate(
            map_path, out, plan, look, heights,
            lambda done, total: progress.update(task, completed=done, total=total),
        )  # fmt: skip
    console.print(f"{out}: {minutes:g} min, {rate_hz:g} images/s, seed {seed}")


def _make_town(folder: Path, seed: int, size_m: float) -> tuple[Path, Path, Path]:
    from mift_ros.simulation.geotiff import write_world
    from mift_ros.simulation.world import make_town

    claim_folder(folder, TOWN_MARK)
    with console.status("building the town"):
        files = write_world(make_town(seed, size_m), folder)
    console.print(
        f"{files.map}: the town for `mift map build`; {files.look.name} and {files.heights.name} for the camera",
        soft_wrap=True,
    )
    return files
