"""What every multi-view set offers, whatever its folders: training classes, retrieval tasks and positions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mift_ros.errors import TrainingError
from training.data.multiview.parts import Part

Positions = dict[int, tuple[float, float]]
"""Latitude and longitude (WGS 84, deg) of each class."""

CHECK_HINT = "`mift train data check` lists every such class"


@dataclass(frozen=True)
class TrainingClass:
    """One place: its number in the set and its images, at least one of each view."""

    label: int
    satellite: tuple[Path, ...]
    drone: tuple[Path, ...]


@dataclass(frozen=True)
class ImageSet:
    """Image files and the class of each, int64 [N]."""

    files: tuple[Path, ...]
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        """Number of images."""
        return len(self.files)


@dataclass(frozen=True)
class Task:
    """Find, for each query, the gallery images of its class; distractors have classes that no query has."""

    name: str
    queries: ImageSet
    gallery: ImageSet


@dataclass(frozen=True)
class TaskParts:
    """Where the queries and the gallery of a task lie."""

    name: str
    queries: Part
    gallery: Part


@dataclass(frozen=True)
class MultiviewDataset:
    """A set found in a folder.

    satellite, drone: the parts to train on; heights_m: of the drone parts, in their order, where the set has several
    (SUES-200), else empty; side_px: of all its images, 0 where the authors do not say; read_positions: of the classes
    of a split ("train" or "test"), where the set has any.
    """

    name: str
    root: Path
    satellite: tuple[Part, ...]
    drone: tuple[Part, ...]
    retrieval: tuple[TaskParts, ...]
    heights_m: tuple[int, ...] = ()
    side_px: int = 0
    read_positions: Callable[[str], Positions] | None = None

    def training_classes(self, heights_m: tuple[int, ...] = ()) -> tuple[TrainingClass, ...]:
        """All training classes in the order of their numbers, with drone images of the given heights (empty: of all).

        Raises TrainingError for an empty class, a class in one view only and a height that the set does not have.
        """
        satellite, drone = joined(self.satellite), joined(self._drone_parts(heights_m))
        for label in sorted(satellite.keys() | drone.keys()):
            for view, images in (("satellite", satellite), ("drone", drone)):
                if not images.get(label):
                    raise TrainingError(f"{self.root}: training class {label:04d} has no {view} image; {CHECK_HINT}")
        if len(satellite) < 2:
            raise TrainingError(f"{self.root}: {len(satellite)} training classes; at least 2 are needed")
        return tuple(TrainingClass(label, satellite[label], drone[label]) for label in satellite)

    def tasks(self) -> tuple[Task, ...]:
        """All evaluation tasks; raises TrainingError when a query's class is not in the gallery."""
        known = {part: part.images() for part in self.evaluation_parts()}
        return tuple(self._task(task, known) for task in self.retrieval)

    def positions(self, split: str) -> Positions:
        """Positions of the classes of "train" or "test"; raises TrainingError when the set has none."""
        found = self.read_positions(split) if self.read_positions else {}
        if not found:
            raise TrainingError(f"{self.root}: {self.name} has no positions of its {split} classes")
        return found

    def evaluation_parts(self) -> tuple[Part, ...]:
        """The parts of all tasks, each once."""
        return tuple(dict.fromkeys(part for task in self.retrieval for part in (task.queries, task.gallery)))

    def _drone_parts(self, heights_m: tuple[int, ...]) -> tuple[Part, ...]:
        unknown = [height for height in heights_m if height not in self.heights_m]
        if unknown:
            known = ", ".join(map(str, self.heights_m)) or "none"
            raise TrainingError(f"{self.root}: {self.name} has no images from {unknown[0]} m; its heights: {known}")
        if not heights_m:
            return self.drone
        return tuple(part for part, height in zip(self.drone, self.heights_m) if height in heights_m)

    def _task(self, task: TaskParts, known: dict[Part, dict[int, tuple[Path, ...]]]) -> Task:
        queries, gallery = known[task.queries], known[task.gallery]
        alone = [label for label, files in queries.items() if files and not gallery.get(label)]
        if alone:
            place = f"class {alone[0]:04d} of {task.queries.name} has no image in {task.gallery.name}"
            raise TrainingError(f"{self.root}: {place}; {CHECK_HINT}")
        return Task(task.name, _image_set(task.queries, queries), _image_set(task.gallery, gallery))


def joined(parts: tuple[Part, ...]) -> dict[int, tuple[Path, ...]]:
    """Distinct images of each class over several parts (parts may share files: one satellite image for all heights)."""
    images: dict[int, dict[Path, None]] = {}
    for part in parts:
        for label, files in part.images().items():
            images.setdefault(label, {}).update(dict.fromkeys(files))
    return {label: tuple(images[label]) for label in sorted(images)}


def _image_set(part: Part, images: dict[int, tuple[Path, ...]]) -> ImageSet:
    files = tuple(path for paths in images.values() for path in paths)
    if not files:
        raise TrainingError(f"{part.folder}: no images")
    counts = [len(paths) for paths in images.values()]
    return ImageSet(files, np.repeat(np.fromiter(images, np.int64, len(images)), counts))
