"""Batches of consecutive steps, prepared ahead by worker processes."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader, Dataset

from mift_ros.errors import MiftError, TrainingError
from training.data.batch import Batch, BatchSource
from training.loop.failures import is_worker_death, worker_death


class BatchError(TrainingError):
    """A batch that cannot be prepared; the steps before it are good."""


def fetch(source: BatchSource, first: int, end: int, workers: int, pin_memory: bool) -> Iterator[Batch]:
    """Batches of steps first to end, not included, as the source gives them at the time of the call.

    Raises BatchError for what is wrong with the data, and when a worker ends on its own.
    """
    loader = DataLoader(
        _Told(source),
        batch_size=None,
        sampler=range(first, end),
        num_workers=workers,
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
        if not is_worker_death(error):
            raise
        raise BatchError(worker_death()) from error
