"""What goes wrong outside the program, in one line that says what to do."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from mift_ros.errors import TrainingError
from training.loop.processes import process_count
from training.recipes.schema import BatchSpec

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")
"""What a RuntimeError of PyTorch says, on a CPU and on a GPU."""


@contextmanager
def step_told(batch: BatchSpec, more_passes: bool = True) -> Iterator[None]:
    """Raise TrainingError where the memory does not hold a step, with a batch size to try, and where a worker died.

    more_passes: whether dividing the step into more passes would help.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if is_worker_death(error):
            raise TrainingError(worker_death()) from error
        if not _is_memory(error):
            raise
        raise TrainingError(
            f"out of memory with batch.classes={batch.classes}; {_smaller(batch, more_passes)}"
        ) from error


def is_worker_death(error: Exception) -> bool:
    """Whether PyTorch says that a worker of a DataLoader ended; it says so at any place, from a signal handler."""
    return isinstance(error, RuntimeError) and str(error).startswith("DataLoader worker")


def worker_death() -> str:
    """What is said then."""
    return (
        "a worker that prepares batches was ended from outside, often for lack of memory; "
        "lower workers and go on from the last checkpoint with --resume"
    )


@contextmanager
def disk_told(run_dir: Path, saved_step: int | None) -> Iterator[None]:
    """Raise TrainingError where the run folder cannot be written; saved_step: of the checkpoint that is there."""
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        kept = "there is no checkpoint yet" if saved_step is None else f"the checkpoint of step {saved_step} is intact"
        then = "begin again" if saved_step is None else "go on with --resume"
        raise TrainingError(
            f"{run_dir}: cannot be written ({_reason(run_dir, error)}); {kept}: make room and {then}"
        ) from error


def _reason(run_dir: Path, error: BaseException) -> str:
    """Why, with the space that is left; PyTorch and safetensors may hide the system's error behind their own."""
    free_mb = shutil.disk_usage(run_dir).free / 1e6
    hidden: BaseException | None = error
    while hidden is not None and not isinstance(hidden, OSError):
        hidden = hidden.__context__
    what = " ".join(str(error).split())[:120]
    if isinstance(hidden, OSError) and hidden.errno is not None:
        what = "the disk is full" if hidden.errno in FULL else str(hidden.strerror)
    return f"{what}, {free_mb:.0f} MB free"


def _is_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or any(words in str(error) for words in OUT_OF_MEMORY)


def _smaller(batch: BatchSpec, more_passes: bool) -> str:
    """Twice the passes where they divide the classes, and half the classes, both as the processes can share them."""
    world, passes = process_count(), 2 * batch.accumulate
    parts = world * batch.accumulate
    fewer = max(batch.classes // 2 // parts * parts, parts, passes)  # of two classes a pass at least
    if fewer >= batch.classes:
        return "no fewer can be shared by its processes and passes: take a smaller variant or more memory"
    if not more_passes or batch.classes % (world * passes) or passes > batch.classes // 2:
        return f"try --set batch.classes={fewer}"
    return f"try --set batch.accumulate={passes}, which keeps the classes of a step, or --set batch.classes={fewer}"
