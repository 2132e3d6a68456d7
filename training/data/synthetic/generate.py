"""Render a set: a town per job, over several processes, going on where an earlier run ended."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mift_ros.errors import TrainingError
from training.data.synthetic.class_files import PARTIAL, is_complete, missing_folders, write_images
from training.data.synthetic.manifest import Position, claim, read_positions, write_positions
from training.data.synthetic.renderers import Renderers, count_one, go_on
from training.data.synthetic.spec import PlannedClass, PlannedTown, SetSpec, plan_towns
from training.data.synthetic.towns import Town, build_town
from training.data.synthetic.views import drone_views, satellite_view

Image = npt.NDArray[np.uint8]

PROCESSES = 2


def synthesize(root: Path, spec: SetSpec, processes: int = PROCESSES) -> int:
    """Render what is missing of a set in a folder; returns the number of images rendered now.

    Raises:
        TrainingError: the folder holds another set or cannot be written, or a process died.
        KeyboardInterrupt: once the workers have ended; whole classes stay.
    """
    claim(root, spec.manifest())
    positions = read_positions(root)
    towns = [town for town in plan_towns(spec) if not _is_finished(root, spec, town, positions)]
    total = sum(len(town.classes) for town in towns) * (spec.views + 1)
    try:
        with Renderers(min(processes, max(len(towns), 1)), total, "images") as renderers:
            for rows in renderers.results(_render_town, ((root, spec, town) for town in towns)):
                positions.update({row.label: row for row in rows})
                write_positions(root, positions)
    except OSError as error:
        raise TrainingError(f"{root}: {error.strerror or error}; finished buildings are kept, run again") from error
    shutil.rmtree(root / PARTIAL, ignore_errors=True)
    return renderers.count


def _is_finished(root: Path, spec: SetSpec, town: PlannedTown, positions: dict[str, Position]) -> bool:
    return all(c.name in positions and is_complete(root, c, spec.views) for c in town.classes)


def _render_town(root: Path, spec: SetSpec, planned: PlannedTown) -> list[Position]:
    """Render the classes of a town that are not complete; returns where all of them are."""
    go_on()
    town = build_town(spec, planned)
    places = town.frame.to_geodetic(town.buildings_m[:, :2])
    for rank, planned_class in enumerate(planned.classes):
        _render_class(root, spec, town, rank, planned_class)
    return [Position(c.role.part, c.name, *map(float, place)) for c, place in zip(planned.classes, places)]


def _render_class(root: Path, spec: SetSpec, town: Town, rank: int, planned: PlannedClass) -> None:
    """Satellite and drone draw from generators of their own: each may be rendered alone."""
    missing = missing_folders(root, planned, spec.views)
    building_m = town.buildings_m[rank]
    satellite, drone = (np.random.default_rng([spec.seed, 2 + view, int(planned.name)]) for view in range(2))
    if "satellite" in missing:
        images = iter([satellite_view(town, building_m, spec.size_px, satellite)])
        write_images(root, planned.name, "satellite", _counted(images), missing["satellite"])
    if "drone" in missing:
        views = drone_views(town, building_m, spec.views, spec.size_px, drone)
        write_images(root, planned.name, "drone", _counted(views), missing["drone"])


def _counted(images: Iterator[Image]) -> Iterator[Image]:
    """The same images, each told to the parent, until it asks to stop."""
    for image in images:
        go_on()
        count_one()
        yield image
