"""Batches of view pairs, each a function of the seed and the step alone, so that a resumed run sees the same ones."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
import torch

from training.data.batch import Batch, Share
from training.data.orthophotos.imagery import Imagery
from training.data.orthophotos.places import Ground, Place, PlaceSampler, grid_places
from training.data.orthophotos.views import both_views
from training.data.pairs.ground import RenderedWorld
from training.recipes.schema import Recipe

Pairs = tuple[torch.Tensor, torch.Tensor]
"""Map views and drone views, uint8 [B, S, S, 3] each; row i of both shows the same place."""


class OrthophotoBatches:
    """A BatchSource of view pairs: every place is a class of its own, and there are no epochs."""

    classes = 0
    epoch_steps = 0

    def __init__(self, images: Sequence[Ground], recipe: Recipe, size: int, share: Share) -> None:
        """images: all of the recipe's; held-out ones are left out here. size: input side of the network."""
        self._images = [image for image in images if not image.held_out]
        self._batch = recipe.batch
        self._seed = recipe.seed
        self._size = size
        self._rows = share.of(recipe.batch.classes)
        assert recipe.data.orthophotos is not None
        spec = recipe.data.orthophotos
        shares = [source.share for source in spec.sources]
        self._places = PlaceSampler(self._images, shares, spec.views.side_m, spec.views.least_px)
        self._spec = spec

    def mine(self, neighbours: npt.NDArray[np.int64]) -> None:
        """Recipes of orthophotos have no hard negatives."""
        raise NotImplementedError

    def __getitem__(self, step: int) -> Batch:
        """Both views of this process's part of the step's places, no two of which overlap."""
        cv2.setNumThreads(1)
        places = self._places.batch(self._batch.classes, np.random.default_rng([self._seed, step]))
        rows = [(label, view) for label in self._rows for view in range(self._batch.per_class)]
        satellite = np.empty((len(rows), self._size, self._size, 3), np.uint8)
        drone = np.empty_like(satellite)
        for row, (label, view) in enumerate(rows):
            satellite[row], drone[row] = self._pair(places[label], step, label * self._batch.per_class + view)
        labels = torch.tensor([label for label, _ in rows])
        return Batch(torch.from_numpy(satellite), torch.from_numpy(drone), labels)

    def _pair(self, place: Place, step: int, row: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        """Map and drone view; their generator is the row's own, so that no process renders another's rows.

        NumPy pads a seed with zeros: the places' [seed, step] is [seed, step, 0], which rows keep off.
        """
        rng = np.random.default_rng([self._seed, step, 1 + row])
        ground = self._images[place.image]
        changes = self._spec.changes(ground.group, self._spec.views.factor_at(step))
        return both_views(ground, place, changes, self._size, rng)


def held_out_pairs(images: Sequence[Imagery], recipe: Recipe, size: int) -> Pairs:
    """The fixed evaluation pairs: a seeded choice among the grid tiles of all held-out images."""
    held_out = [image for image in images if image.held_out]
    assert recipe.data.orthophotos is not None
    least_px = recipe.data.orthophotos.views.least_px
    return _fixed_pairs(held_out, grid_places(held_out, recipe.evaluation.side_m, least_px), recipe, size)


def held_out_rendered(worlds: Sequence[RenderedWorld], recipe: Recipe, size: int) -> Pairs:
    """The same of the worlds held out: a seeded choice among those of their pairs that do not overlap."""
    held_out = [world for world in worlds if world.held_out]
    places = [place for index, world in enumerate(held_out) for place in world.apart(index)]
    return _fixed_pairs(held_out, places, recipe, size)


def _fixed_pairs(grounds: Sequence[Ground], places: Sequence[Place], recipe: Recipe, size: int) -> Pairs:
    assert recipe.data.orthophotos is not None
    spec = recipe.evaluation
    order = np.random.default_rng(spec.seed).permutation(len(places))[: spec.places]
    maps = np.empty((len(order), size, size, 3), np.uint8)
    drones = np.empty_like(maps)
    for row, index in enumerate(order.tolist()):
        ground, rng = grounds[places[index].image], np.random.default_rng([spec.seed, index])
        changes = recipe.data.orthophotos.changes(ground.group)
        maps[row], drones[row] = both_views(ground, places[index], changes, size, rng)
    return torch.from_numpy(maps), torch.from_numpy(drones)
