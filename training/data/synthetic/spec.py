"""How large the set is, which class lies in which town, and in which folders a class is found."""

from __future__ import annotations

import enum
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from mift_ros.errors import TrainingError

GENERATOR_VERSION = 1
"""Raised with every change that gives other images for the same seed."""
CLASSES_PER_TOWN = 12
MOST_CLASSES, MOST_VIEWS = 9999, 540
SIZES_PX = (32, 1024)


class Role(str, enum.Enum):
    """What a class is for."""

    TRAIN = "train"
    TEST = "test"
    DISTRACTOR = "distractor"

    @property
    def part(self) -> str:
        """Folder of the set in which the class lies."""
        return "train" if self is Role.TRAIN else "test"

    @property
    def folders(self) -> dict[str, tuple[str, ...]]:
        """Folders of its satellite and of its drone images, below the set; University-1652 repeats queries there."""
        kinds = {Role.TRAIN: ("",), Role.TEST: ("query_", "gallery_"), Role.DISTRACTOR: ("gallery_",)}[self]
        return {view: tuple(f"{self.part}/{kind}{view}" for kind in kinds) for view in ("satellite", "drone")}


@dataclass(frozen=True)
class SetSpec:
    """Buildings by role, drone views of each, side of an image in pixels, seed.

    Raises:
        TrainingError: a number out of range.
    """

    train: int = 120
    test: int = 60
    distractors: int = 20
    views: int = 54
    size_px: int = 512
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.train >= 1 and self.test >= 1 and self.distractors >= 0 and self.classes <= MOST_CLASSES):
            raise TrainingError(
                f"{self.train} training, {self.test} test and {self.distractors} distractor buildings: "
                f"give at least 1, 1 and 0, and {MOST_CLASSES} at most together"
            )
        if not 1 <= self.views <= MOST_VIEWS:
            raise TrainingError(f"{self.views} drone views of a building: give 1 to {MOST_VIEWS}")
        if not SIZES_PX[0] <= self.size_px <= SIZES_PX[1]:
            raise TrainingError(f"images of {self.size_px} px: give {SIZES_PX[0]} to {SIZES_PX[1]}")
        if self.seed < 0:
            raise TrainingError(f"seed {self.seed}: give a number of 0 or more")

    @property
    def classes(self) -> int:
        """Buildings in all."""
        return self.train + self.test + self.distractors

    @property
    def images(self) -> int:
        """Images that are rendered: one satellite image and all drone views of each building."""
        return self.classes * (self.views + 1)

    def manifest(self) -> dict[str, Any]:
        """What set.json says; two sets with the same manifest are the same set."""
        return {"generator": "mift train data synthesize", "version": GENERATOR_VERSION, **asdict(self)}


QUICK = SetSpec(train=100, test=60, distractors=20, views=18, size_px=256)
"""Two and a half minutes of one core: enough to tell methods apart."""


class PlannedClass(NamedTuple):
    """A building of the set: name of its folder, what it is for."""

    name: str
    role: Role


class PlannedTown(NamedTuple):
    """A town and the buildings that it lends to the set."""

    number: int
    classes: tuple[PlannedClass, ...]


def plan_towns(spec: SetSpec) -> list[PlannedTown]:
    """Towns with about CLASSES_PER_TOWN buildings: some for training alone, others for test and distractors mixed."""
    roles = [Role.TRAIN] * spec.train + [Role.TEST] * spec.test + [Role.DISTRACTOR] * spec.distractors
    classes = [PlannedClass(f"{number:04d}", role) for number, role in enumerate(roles)]
    order = np.random.default_rng([spec.seed, 0]).permutation(spec.test + spec.distractors)
    others = [classes[spec.train + int(place)] for place in order]
    groups = [*_shared_out(classes[: spec.train]), *_shared_out(others)]
    return [PlannedTown(index, tuple(group)) for index, group in enumerate(groups)]


def _shared_out(classes: list[PlannedClass]) -> list[list[PlannedClass]]:
    """Classes dealt to as many towns as are needed, evenly."""
    towns = -(-len(classes) // CLASSES_PER_TOWN)
    return [classes[town::towns] for town in range(towns)]
