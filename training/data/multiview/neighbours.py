"""Classes that lie nearest on the ground."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mift_ros.errors import TrainingError
from training.data.multiview.dataset import MultiviewDataset, TrainingClass

CHUNK = 256
"""Classes whose distances to all others are held at once."""


def geographic_neighbours(
    dataset: MultiviewDataset, classes: tuple[TrainingClass, ...], count: int
) -> npt.NDArray[np.int64]:
    """Indices of the nearest other classes of each class, nearest first, int64 [classes, min(count, classes - 1)].

    Raises TrainingError when the set has no position of a class.
    """
    positions = dataset.positions("train")
    missing = [each.label for each in classes if each.label not in positions]
    if missing:
        raise TrainingError(f"{dataset.root}: no position of training class {missing[0]:04d}")
    angles = np.radians([positions[each.label] for each in classes])
    latitude, longitude = angles[:, 0], angles[:, 1]
    points = np.stack(
        [np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)], axis=1
    )
    nearest = [_nearest(points, start, count) for start in range(0, len(points), CHUNK)]
    return np.concatenate(nearest).astype(np.int64)


def _nearest(points: npt.NDArray[np.float64], start: int, count: int) -> npt.NDArray[np.int64]:
    chords = ((points[start : start + CHUNK, None] - points[None]) ** 2).sum(axis=2)
    rows = np.arange(len(chords))
    chords[rows, start + rows] = np.inf
    order = np.argsort(chords, axis=1, kind="stable")
    return order[:, : min(count, len(points) - 1)]
