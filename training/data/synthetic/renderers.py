"""Processes that render, a bar that counts what they have rendered, and their end at Ctrl-C."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

import cv2
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from mift_ros.errors import TrainingError

Result = TypeVar("Result")

POLL_S = 0.2


class Link(NamedTuple):
    """What a worker shares with the process that started it."""

    stop: Event
    rendered: Synchronized[int]


_link: list[Link] = []
"""Set once in every worker: multiprocessing hands such things to a process at its start only."""


class _Stopped(Exception):  # noqa: N818, it is no error
    """The run was interrupted."""


class Renderers:
    """A context: worker processes and a bar over `total` of a unit; an error or Ctrl-C inside ends the workers."""

    def __init__(self, processes: int, total: int, unit: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._link = Link(context.Event(), context.Value("q", 0))
        self._pool = ProcessPoolExecutor(
            processes, mp_context=context, initializer=_start_worker, initargs=(self._link,)
        )
        self._bar = _bar(total, unit)

    @property
    def count(self) -> int:
        """What the workers have rendered so far."""
        return int(self._link.rendered.value)

    def __enter__(self) -> Renderers:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._link.stop.set()
        self._pool.shutdown(cancel_futures=kind is not None)
        self._bar.stop()

    def results(self, work: Callable[..., Result], jobs: Iterable[tuple[Any, ...]]) -> Iterator[Result]:
        """work(*job) of every job as they come, the bar kept up to date in the meantime.

        Raises:
            TrainingError: a process died.
        """
        waiting = {self._pool.submit(work, *job) for job in jobs}
        while waiting:
            done, waiting = wait(waiting, POLL_S, FIRST_COMPLETED)
            self._bar.update(self._bar.task_ids[0], completed=self.count)
            try:
                yield from (job.result() for job in done)
            except BrokenProcessPool as error:
                raise TrainingError(
                    "a rendering process died, of memory perhaps: run again with --processes 1"
                ) from error


def go_on() -> None:
    """In a worker: end the job when the parent asks to stop."""
    if _link[0].stop.is_set():
        raise _Stopped


def count_one() -> None:
    """In a worker: tell the parent that one more is rendered."""
    with _link[0].rendered.get_lock():
        _link[0].rendered.value += 1


def _bar(total: int, unit: str) -> Progress:
    """Nothing where there is no terminal."""
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("rendering"), BarColumn(), MofNCompleteColumn(), TextColumn(unit), TimeElapsedColumn(),
        TimeRemainingColumn(), console=console, disable=not console.is_terminal,
    )  # fmt: skip
    bar.add_task("rendering", total=total)
    return bar


def _start_worker(link: Link) -> None:
    """Ctrl-C is the parent's to handle; two workers with OpenCV's own threads would only disturb each other."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    _link.append(link)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for its next job for ever."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
