"""Batches of a multi-view set, each a function of the recipe's seed, the step and the hard negatives alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from mift_ros.errors import TrainingError
from training.data.batch import Batch, Share
from training.data.multiview.augment import augment_row
from training.data.multiview.dataset import TrainingClass
from training.data.multiview.layout import open_dataset
from training.data.multiview.memory import ImageMemory
from training.data.multiview.neighbours import geographic_neighbours
from training.data.multiview.sampler import choose, epoch_plan, epoch_steps
from training.recipes.data_schema import HardNegatives, MultiviewSpec
from training.recipes.schema import Recipe

ROW_STREAM = 2
"""Keeps the generators of the rows apart from that of an epoch's plan."""


class MultiviewBatches(Dataset[Batch]):
    """Item k holds this process's rows of step k; labels are indices into the classes in the order of their numbers.

    Rows are class-major: per_class images of each view of a class, drawn and augmented anew in every step.
    """

    def __init__(self, root: Path, recipe: Recipe, size: int, share: Share = Share()) -> None:  # noqa: B008
        """root: folder of the set; size: input side of the network.

        Raises TrainingError when the folder holds no such set, when the set has fewer classes than a batch, and when it
        has no positions but the recipe asks for geographic hard negatives.
        """
        spec = recipe.data.multiview
        if spec is None:
            raise TrainingError(f"recipe {recipe.name}: data.multiview is needed to train on {root}")
        dataset = open_dataset(root)
        self._classes = dataset.training_classes(spec.heights_m)
        if recipe.batch.classes > len(self._classes):
            count = f"{root} has {len(self._classes)} training classes"
            raise TrainingError(f"batch.classes: {recipe.batch.classes}, but {count}; lower it")
        self._spec: MultiviewSpec = spec
        self._batch = recipe.batch
        self._seed = recipe.seed
        self._share = share
        self._neighbours: npt.NDArray[np.int64] | None = None
        self._planned: tuple[int, npt.NDArray[np.int64]] | None = None
        if spec.hard_negatives is HardNegatives.GEOGRAPHIC:
            self._neighbours = geographic_neighbours(dataset, self._classes, spec.neighbours)
        files = [path for each in self._classes for path in (*each.satellite, *each.drone)]
        self._images = ImageMemory(files, size, share)

    @property
    def classes(self) -> int:
        """Training classes."""
        return len(self._classes)

    @property
    def epoch_steps(self) -> int:
        """Steps in which every class is shown once."""
        return epoch_steps(len(self._classes), self._batch.classes)

    def mine(self, neighbours: npt.NDArray[np.int64]) -> None:
        """Take the nearest classes of each class, nearest first [classes, K], between two epochs."""
        if neighbours.ndim != 2 or len(neighbours) != len(self._classes):
            raise TrainingError(f"neighbours are [{len(self._classes)}, K], not {list(neighbours.shape)}")
        self._neighbours = neighbours
        self._planned = None

    def class_images(self) -> Iterator[npt.NDArray[np.uint8]]:
        """One unchanged satellite image of each class in the order of the labels, RGB uint8 [B, S, S, 3] at a time."""
        return self._images.batches([each.satellite[0] for each in self._classes])

    def __getitem__(self, step: int) -> Batch:
        """Rows of one step."""
        cv2.setNumThreads(1)
        epoch, index = divmod(step, self.epoch_steps)
        planned = self._plan(epoch)[index]
        mine = [int(label) for label in planned[self._share.of(len(planned))]]
        rows = [row for label in mine for row in self._rows(step, label)]
        satellite, drone = (torch.from_numpy(np.stack(view)) for view in zip(*rows))
        return Batch(satellite, drone, torch.tensor(mine).repeat_interleave(self._batch.per_class))

    def _rows(self, step: int, label: int) -> Iterator[tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]]:
        rng = np.random.default_rng([self._seed, ROW_STREAM, step, label])
        each: TrainingClass = self._classes[label]
        count = self._batch.per_class
        satellites, drones = choose(len(each.satellite), count, rng), choose(len(each.drone), count, rng)
        for satellite, drone in zip(satellites, drones):
            images = self._images.read(each.satellite[satellite]), self._images.read(each.drone[drone])
            yield augment_row(*images, self._spec.augment, rng)

    def _plan(self, epoch: int) -> npt.NDArray[np.int64]:
        if self._planned is None or self._planned[0] != epoch:
            hard = self._neighbours if epoch >= self._spec.hard_after_epochs else None
            count = len(self._classes)
            plan = epoch_plan(count, self._batch.classes, self._seed, epoch, hard, self._spec.hard_share)
            self._planned = epoch, plan
        return self._planned[1]
