"""Load the next item while this one is used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def load_ahead(items: Iterable[T], load: Callable[[T], R]) -> Iterator[tuple[T, R]]:
    """Each item with what `load` makes of it; one thread loads, one item ahead, and its errors are raised here."""
    with ThreadPoolExecutor(1) as pool:
        waiting = None
        for item in items:
            upcoming = (item, pool.submit(load, item))
            if waiting is not None:
                yield waiting[0], waiting[1].result()
            waiting = upcoming
        if waiting is not None:
            yield waiting[0], waiting[1].result()
