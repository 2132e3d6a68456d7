"""Batches of consecutive steps, prepared ahead by worker processes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

from mift_ros.errors import MiftError, TrainingError
from training.data.batch import Batch, BatchSource, Share
from training.loop.failures import is_worker_death, worker_death
from training.recipes.schema import Recipe

SHARED_MEMORY = Path("/dev/shm")
"""Through which workers hand over their batches."""
AHEAD = 2
"""Batches that each worker prepares ahead."""
IN_HAND = 2
"""The batch that is trained on, and the one that takes its place."""
LONGEST_WAIT_S = 1800
"""For one batch."""


class BatchError(TrainingError):
    """A batch that cannot be prepared; the steps before it are good."""


def check_shared_memory(recipe: Recipe, size: int, share: Share) -> None:
    """Raise TrainingError where the shared memory has no room for what the workers of this machine prepare ahead.

    A worker that finds it full drops its batch without a word to the process that waits for it. size: input side of
    the network; to be called before any process of the machine fetches.
    """
    if not recipe.workers or not SHARED_MEMORY.is_dir():
        return
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    batch_bytes = 2 * recipe.batch.classes * recipe.batch.per_class * size * size * 3 // share.world
    needed = processes * batch_bytes * (AHEAD * recipe.workers + IN_HAND)
    free = shutil.disk_usage(SHARED_MEMORY).free
    if free < needed:
        raise TrainingError(
            f"{SHARED_MEMORY}: {free / 1e6:.0f} MB free, but batches of workers={recipe.workers} take up to "
            f"{needed / 1e6:.0f} MB; start the container with --ipc=host or a larger --shm-size, or --set workers=0"
        )


def fetch(source: BatchSource, first: int, end: int, workers: int, pin_memory: bool) -> Iterator[Batch]:
    """Batches of steps first to end, not included, as the source gives them at the time of the call.

    Raises BatchError for what is wrong with the data, and when a worker ends on its own or gives nothing any more.
    """
    if workers:  # OpenCV's threads do not live on in a fork: the first call there that ends them waits for ever
        cv2.setNumThreads(1)
    loader = DataLoader(
        _Told(source),
        batch_size=None,
        sampler=range(first, end),
        num_workers=workers,
        prefetch_factor=AHEAD if workers else None,
        timeout=LONGEST_WAIT_S if workers else 0,
        pin_memory=pin_memory,
        generator=torch.Generator(),  # else each loader draws from the generator whose state a resumed run restores
    )
    batches = iter(loader)
    while (batch := _next(batches)) is not None:
        if isinstance(batch, str):
            raise BatchError(batch)
        yield batch


class _Told(Dataset[Batch | str]):
    """The source with its errors as text: one raised in a worker would arrive as a traceback of many lines."""

    def __init__(self, source: BatchSource) -> None:
        self._source = source

    def __getitem__(self, step: int) -> Batch | str:
        try:
            return self._source[step]
        except MiftError as error:
            return str(error)


def _next(batches: Iterator[Batch | str]) -> Batch | str | None:
    try:
        return next(batches, None)
    except RuntimeError as error:
        if str(error).startswith("DataLoader timed out"):
            raise BatchError(
                f"no worker gave a batch for {LONGEST_WAIT_S / 60:.0f} minutes; look whether {SHARED_MEMORY} or the "
                f"memory is full, lower workers and go on from the last checkpoint with --resume"
            ) from error
        if not is_worker_death(error):
            raise
        raise BatchError(worker_death()) from error
