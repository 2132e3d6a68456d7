"""Work off the executor thread on the newest item only: a slow worker drops items, it never queues them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class NewestWorker(Generic[T]):
    """A thread that calls `work` with the newest item put; items put meanwhile replace each other."""

    def __init__(self, work: Callable[[T], None], name: str) -> None:
        self._work = work
        self._slot: list[T] = []
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, item: T) -> bool:
        """Leave an item for the thread; returns whether an older one that nobody had taken was dropped for it."""
        with self._changed:
            dropped = bool(self._slot)
            self._slot = [item]
            self._changed.notify()
        return dropped

    def close(self) -> None:
        """Let the item in work finish, forget the one that waits, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while (item := self._take()) is not None:
            self._work(item)

    def _take(self) -> T | None:
        with self._changed:
            self._changed.wait_for(lambda: self._slot or self._closed)
            return None if self._closed else self._slot.pop()
