"""What the loop trains on: rows of two views, and where they come from."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor


class Batch(NamedTuple):
    """Row i of both views shows class labels[i]: RGB uint8 [N, S, S, 3] twice, int64 [N]."""

    satellite: Tensor
    drone: Tensor
    labels: Tensor


class Share(NamedTuple):
    """The part of every step's rows that one process prepares: rank of world; the step has so many backward passes."""

    rank: int = 0
    world: int = 1
    passes: int = 1

    def of(self, count: int) -> list[int]:
        """Its rows among `count`, which world * passes divides: of the run of rows of each pass, its equal part.

        So a pass holds the same neighbouring rows over all processes, whatever their number.
        """
        each = count // (self.world * self.passes)
        starts = [(index * self.world + self.rank) * each for index in range(self.passes)]
        return [start + row for start in starts for row in range(each)]


class BatchSource(Protocol):
    """A map-style dataset: item k holds this process's rows of step k.

    An item is a function of the recipe's seed, the step and the neighbours alone: nothing else is kept between items,
    so that any number of workers gives the same batches and a resumed run sees those of one never stopped.
    """

    @property
    def classes(self) -> int:
        """Training classes; 0 where every row is a class of its own."""

    @property
    def epoch_steps(self) -> int:
        """Steps in which every class is shown once; 0 where there are no epochs."""

    def mine(self, neighbours: npt.NDArray[np.int64]) -> None:
        """Take hard negatives of each class, nearest first [classes, K], for the steps to come."""

    def __getitem__(self, step: int) -> Batch:
        """Rows of one step."""
