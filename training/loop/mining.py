"""Hard negatives: the classes whose satellite images the network takes for one another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.data.batch import BatchSource
from training.loop.objective import CPU_CHUNK
from training.loop.preprocess import normalise
from training.model.network import Network
from training.recipes.data_schema import HardNegatives
from training.recipes.schema import Recipe

ROWS_AT_ONCE = 4096
"""Of the similarities of all classes: 4,096 x 100,000 of them take 1.6 GB."""


@runtime_checkable
class Mineable(BatchSource, Protocol):
    """A source whose classes have one image that stands for them."""

    def class_images(self) -> Iterator[npt.NDArray[np.uint8]]:
        """One image of each class, in the order of the classes, RGB uint8 [B, S, S, 3] at a time."""


def mining_is_due(recipe: Recipe, source: BatchSource, step: int) -> bool:
    """Whether neighbours are computed before this step."""
    return step > 0 and next_mining(recipe, source, step - 1) == step


def next_mining(recipe: Recipe, source: BatchSource, step: int) -> int | None:
    """The first step after `step` before which neighbours are computed; None where the recipe mines none."""
    spec = recipe.data.multiview
    if spec is None or spec.hard_negatives is not HardNegatives.EMBEDDING:
        return None
    first, every = spec.hard_after_epochs * source.epoch_steps, spec.hard_every_epochs * source.epoch_steps
    return first + max((step - first) // every + 1, 0) * every


@torch.no_grad()
def nearest_classes(network: Network, source: Mineable, count: int) -> Tensor:
    """The `count` most similar other classes of each class, nearest first: int64 [classes, count] on the CPU."""
    device = next(network.parameters()).device
    network.eval()
    parts = [
        network(normalise(chunk.to(device)))
        for images in source.class_images()
        for chunk in torch.split(torch.from_numpy(images), CPU_CHUNK)
    ]
    return nearest_rows(torch.cat(parts), min(count, source.classes - 1))


def nearest_rows(embeddings: Tensor, count: int) -> Tensor:
    """Of unit rows [N, D], the `count` others of largest cosine, largest first: int64 [N, count] on the CPU."""
    found = []
    for first in range(0, len(embeddings), ROWS_AT_ONCE):
        similarity = embeddings[first : first + ROWS_AT_ONCE] @ embeddings.T
        rows = torch.arange(len(similarity), device=similarity.device)
        similarity[rows, first + rows] = -torch.inf
        found.append(similarity.topk(count, dim=1).indices.cpu())
    return torch.cat(found)
