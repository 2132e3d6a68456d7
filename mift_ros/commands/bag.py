"""`mift bag`: make a bag out of geotagged photos, or look into one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from mift_ros.commands.plain import plain_console
from mift_ros.evaluation.bag import Bag
from mift_ros.photos.flight import Attitude, PhotoPlan, find_photos, write_photos
from mift_ros.simulation.record import Storage

app = typer.Typer(no_args_is_help=True)
console = plain_console()


@app.command("from-photos")
def from_photos(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of photos.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="BAG", help="Folder of the rosbag2 to write.")],
    truth_csv: Annotated[Path | None, typer.Option(help="CSV instead of EXIF: file, datetime, lat, lon, ...")] = None,
    attitude: Annotated[Attitude, typer.Option(help="Where the camera looked.")] = Attitude.GIMBAL,
    heading: Annotated[bool, typer.Option(help="Whether the bag tells the heading.")] = True,
    focal_px: Annotated[float, typer.Option(help="Focal length in pixels of the photos as they are.")] = math.nan,
    hfov_deg: Annotated[float, typer.Option(help="Horizontal field of view.")] = math.nan,
    height_agl_m: Annotated[float, typer.Option(help="Height above ground of all photos.")] = math.nan,
    storage: Annotated[Storage, typer.Option(help="rosbag2 storage.")] = Storage.MCAP,
) -> None:
    """Each photo is an exposure; its position is the truth, its height above take-off is taken as above ground."""
    photos = find_photos(folder, truth_csv)
    plan = PhotoPlan(attitude, heading, focal_px, hfov_deg, height_agl_m, storage)
    with console.status("writing") as status:
        write_photos(photos, out, plan, lambda done: status.update(f"writing photo {done} of {len(photos)}"))
    console.print(f"{out}: {len(photos)} photos")


@app.command("info")
def info(bag: Annotated[Path, typer.Argument(help="rosbag2 folder, .mcap or .db3.")]) -> None:
    """Which topic a replay would take for what."""
    opened = Bag(bag)
    table = Table("role", "topic", title=f"{bag.absolute().name}: {opened.frames} images, {opened.duration_s:.1f} s")
    for role, topic in opened.roles():
        table.add_row(role, topic or Text("none", "yellow"))
    console.print(table)
