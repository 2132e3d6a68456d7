"""Recall among held-out places: a query's rank is the number of other tiles at least as similar to it as its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mift_ros.errors import TrainingError
from training.data.orthophotos.batches import held_out_pairs
from training.data.orthophotos.imagery import load_imagery
from training.evaluation.ranking import check_finite
from training.loop.preprocess import normalise
from training.recipes.data_schema import SourceSpec, ViewsSpec
from training.recipes.schema import Recipe

CHUNK = 32


@dataclass(frozen=True)
class Retrieval:
    """ranks: of each query's own tile, 0 is first; places: size of the gallery."""

    ranks: npt.NDArray[np.int64]
    places: int

    def recall_at(self, k: int) -> float:
        """Share of the queries whose own tile is among the first k."""
        return float((self.ranks < k).mean())

    @property
    def mean_reciprocal_rank(self) -> float:
        """Mean of 1 / (rank + 1)."""
        return float((1.0 / (self.ranks + 1.0)).mean())


@torch.no_grad()
def embed(model: nn.Module, images: Tensor) -> Tensor:
    """Embeddings [N, D] of RGB uint8 images [N, S, S, 3], where the model's parameters are."""
    model.eval()
    device = next((parameter.device for parameter in model.parameters()), images.device)
    return torch.cat([model(normalise(chunk.to(device))).float() for chunk in torch.split(images, CHUNK)])


def evaluate_pairs(model: nn.Module, gallery: Tensor, queries: Tensor) -> Retrieval:
    """Retrieve each query among the gallery; row i of both [N, S, S, 3] uint8 shows the same place.

    Ties count against the model. Raises TrainingError when its embeddings are not finite.
    """
    shown, known = embed(model, queries), embed(model, gallery)
    check_finite(shown, known)
    similarity = shown @ known.T
    own = similarity.diagonal()[:, None]
    return Retrieval(((similarity >= own).sum(dim=1) - 1).cpu().numpy(), len(gallery))


def held_out_sources(recipe: Recipe) -> tuple[tuple[SourceSpec, ...], ViewsSpec]:
    """Sources that keep images for evaluation, and the recipe's views; raises TrainingError without orthophotos."""
    spec = recipe.data.orthophotos
    if spec is None:
        raise TrainingError(f"recipe {recipe.name}: only recipes of orthophotos name held-out places")
    return tuple(source for source in spec.sources if source.hold_out_every), spec.views


def evaluate_held_out(model: nn.Module, recipe: Recipe, data: Path, size: int) -> Retrieval:
    """Retrieval among the recipe's held-out places under `data`; raises TrainingError when nothing is held out."""
    sources, views = held_out_sources(recipe)
    images = load_imagery(data, sources, views.finest_gsd_m)
    gallery, queries = held_out_pairs(images, recipe, size)
    if len(gallery) < 2:
        raise TrainingError(f"{data}: no two held-out places; set hold_out_every on a source of the recipe")
    return evaluate_pairs(model, gallery, queries)
