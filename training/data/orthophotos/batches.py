"""Batches of view pairs, each a function of the seed and the step alone, so that a resumed run sees the same ones."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from training.data.orthophotos.imagery import Imagery
from training.data.orthophotos.places import PlaceSampler, grid_places
from training.data.orthophotos.views import drone_view, map_view
from training.recipes.schema import Recipe

Pairs = tuple[torch.Tensor, torch.Tensor]
"""Map views and drone views, uint8 [B, S, S, 3] each; row i of both shows the same place."""


class TrainingBatches(Dataset[Pairs]):
    """Item k is the batch of step k; nothing is kept between items, so any number of workers gives the same batches."""

    def __init__(self, images: Sequence[Imagery], recipe: Recipe, size: int) -> None:
        """images: all of the recipe's; held-out ones are left out here. size: input side of the network."""
        self._images = [image for image in images if not image.held_out]
        self._recipe = recipe
        self._size = size
        assert recipe.data.orthophotos is not None
        spec = recipe.data.orthophotos
        shares = [source.share for source in spec.sources]
        self._places = PlaceSampler(self._images, shares, spec.views.side_m, spec.views.least_px)
        self._views = spec.views

    def __getitem__(self, step: int) -> Pairs:
        """Map and drone views of `batch_pairs` distinct places."""
        cv2.setNumThreads(1)
        rng = np.random.default_rng([self._recipe.seed, step])
        views = self._views
        factor = views.factor_at(step)
        map_look, drone_look = views.map.softened(factor), views.drone.softened(factor)
        shape = (self._recipe.batch.classes, self._size, self._size, 3)
        maps, drones = np.empty(shape, np.uint8), np.empty(shape, np.uint8)
        for row, place in enumerate(self._places.batch(self._recipe.batch.classes, rng)):
            image = self._images[place.image]
            maps[row] = map_view(image, place, map_look, self._size, rng)
            drones[row] = drone_view(image, place, views.geometry, drone_look, self._size, rng)
        return torch.from_numpy(maps), torch.from_numpy(drones)


def held_out_pairs(images: Sequence[Imagery], recipe: Recipe, size: int) -> Pairs:
    """The fixed evaluation pairs: a seeded choice among the grid tiles of all held-out images."""
    held_out = [image for image in images if image.held_out]
    assert recipe.data.orthophotos is not None
    spec, views = recipe.evaluation, recipe.data.orthophotos.views
    places = grid_places(held_out, spec.side_m, views.least_px)
    order = np.random.default_rng(spec.seed).permutation(len(places))[: spec.places]
    maps = np.empty((len(order), size, size, 3), np.uint8)
    drones = np.empty_like(maps)
    for row, index in enumerate(order.tolist()):
        place, rng = places[index], np.random.default_rng([spec.seed, index])
        image = held_out[place.image]
        maps[row] = map_view(image, place, views.map, size, rng)
        drones[row] = drone_view(image, place, views.geometry, views.drone, size, rng)
    return torch.from_numpy(maps), torch.from_numpy(drones)
