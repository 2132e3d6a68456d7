"""Render a set: a town per job, over several processes, going on where an earlier run ended."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from mift_ros.errors import TrainingError
from training.data.synthetic.class_files import PARTIAL, is_complete, missing_folders, write_images
from training.data.synthetic.manifest import Position, claim, read_positions, write_positions
from training.data.synthetic.spec import PlannedClass, PlannedTown, SetSpec, plan_towns
from training.data.synthetic.towns import Town, build_town
from training.data.synthetic.views import drone_views, satellite_view

Image = npt.NDArray[np.uint8]

POLL_S = 0.2
PROCESSES = 2


class Link(NamedTuple):
    """What a worker shares with the process that started it."""

    stop: Event
    images: Synchronized[int]


_link: list[Link] = []
"""Set once in every worker: multiprocessing hands such things to a process at its start only."""


class _Stopped(Exception):  # noqa: N818, it is no error
    """The run was interrupted."""


def synthesize(root: Path, spec: SetSpec, processes: int = PROCESSES) -> int:
    """Render what is missing of a set in a folder; returns the number of images rendered now.

    Raises:
        TrainingError: the folder holds another set or cannot be written, or a process died.
        KeyboardInterrupt: once the workers have ended; whole classes stay.
    """
    claim(root, spec)
    positions = read_positions(root)
    towns = [town for town in plan_towns(spec) if not _is_finished(root, spec, town, positions)]
    context = multiprocessing.get_context("spawn")
    link = Link(context.Event(), context.Value("q", 0))
    try:
        with _pool(context, link, min(processes, max(len(towns), 1))) as pool, _bar(spec, towns) as bar:
            jobs = {pool.submit(_render_town, root, spec, town) for town in towns}
            try:
                for rows in _finished(jobs, bar, link):
                    positions.update({row.label: row for row in rows})
                    write_positions(root, positions)
            except BaseException:
                link.stop.set()
                pool.shutdown(cancel_futures=True)
                raise
    except OSError as error:
        raise TrainingError(f"{root}: {error.strerror or error}; finished buildings are kept, run again") from error
    except BrokenProcessPool as error:
        raise TrainingError("a rendering process died, of memory perhaps: run again with --processes 1") from error
    shutil.rmtree(root / PARTIAL, ignore_errors=True)
    return int(link.images.value)


def _is_finished(root: Path, spec: SetSpec, town: PlannedTown, positions: dict[str, Position]) -> bool:
    return all(c.name in positions and is_complete(root, c, spec.views) for c in town.classes)


def _pool(context: multiprocessing.context.SpawnContext, link: Link, processes: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(processes, mp_context=context, initializer=_start_worker, initargs=(link,))


def _bar(spec: SetSpec, towns: list[PlannedTown]) -> Progress:
    """A progress bar that counts images; nothing where there is no terminal."""
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("rendering"), BarColumn(), MofNCompleteColumn(), TextColumn("images"), TimeElapsedColumn(),
        TimeRemainingColumn(), console=console, disable=not console.is_terminal,
    )  # fmt: skip
    bar.add_task("rendering", total=sum(len(town.classes) for town in towns) * (spec.views + 1))
    return bar


def _finished(jobs: set[Future[list[Position]]], bar: Progress, link: Link) -> Iterator[list[Position]]:
    """Results as they come, the bar kept up to date in the meantime."""
    while jobs:
        done, jobs = wait(jobs, POLL_S, FIRST_COMPLETED)
        bar.update(bar.task_ids[0], completed=link.images.value)
        yield from (job.result() for job in done)


def _start_worker(link: Link) -> None:
    """Ctrl-C is the parent's to handle; two workers with OpenCV's own threads would only disturb each other."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    _link.append(link)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for its next job for ever."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)


def _render_town(root: Path, spec: SetSpec, planned: PlannedTown) -> list[Position]:
    """Render the classes of a town that are not complete; returns where all of them are."""
    _go_on()
    town = build_town(spec, planned)
    places = town.frame.to_geodetic(town.buildings_m[:, :2])
    for rank, planned_class in enumerate(planned.classes):
        _render_class(root, spec, town, rank, planned_class)
    return [Position(c.role.part, c.name, *map(float, place)) for c, place in zip(planned.classes, places)]


def _go_on() -> None:
    """End the job when the parent asks to stop."""
    if _link[0].stop.is_set():
        raise _Stopped


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
        _go_on()
        with _link[0].images.get_lock():
            _link[0].images.value += 1
        yield image
