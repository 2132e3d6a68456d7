"""Training images kept decoded where they fit, since a few cores decode more slowly than a GPU trains."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track

from mift_ros.threads import processors
from training.data.batch import Share
from training.data.multiview.images import load_images, read_image

Pixels = npt.NDArray[np.uint8]

MOST_OF_MEMORY = 0.25
LIMIT = Path("/sys/fs/cgroup/memory.max")
"""A container's memory in bytes, or max."""
BATCH = 64


class ImageMemory:
    """Images by their file at one size: all of them in memory, or none and each is decoded when asked for.

    All are read before training begins: processes that prepare batches inherit them without a copy, and a damaged file
    is told at once rather than hours later.
    """

    def __init__(self, files: Sequence[Path], size: int, share: Share = Share()) -> None:  # noqa: B008
        """share: the processes of a machine share the limit; only the first shows its progress."""
        self._size = size
        self._index: dict[Path, int] = {}
        self._pixels = np.empty((0, size, size, 3), np.uint8)
        if len(files) * size * size * 3 <= _limit_bytes() // share.world:
            self._index = {path: index for index, path in enumerate(files)}
            self._pixels = self._read_all(files, share.rank > 0)

    @property
    def kept(self) -> bool:
        """Whether the images are in memory."""
        return bool(self._index)

    def read(self, path: Path) -> Pixels:
        """RGB uint8 [S, S, 3]; raises TrainingError for a damaged file."""
        index = self._index.get(path)
        return read_image(path, self._size, reduced=True) if index is None else self._pixels[index]

    def batches(self, paths: Sequence[Path]) -> Iterator[Pixels]:
        """Images of several files, RGB uint8 [B, S, S, 3] at a time."""
        if not self.kept:
            yield from load_images(paths, self._size, BATCH, processors(), reduced=True)
            return
        for start in range(0, len(paths), BATCH):
            yield np.stack([self.read(path) for path in paths[start : start + BATCH]])

    def _read_all(self, files: Sequence[Path], silent: bool) -> Pixels:
        pixels = np.empty((len(files), self._size, self._size, 3), np.uint8)
        batches = load_images(files, self._size, BATCH, processors(), reduced=True)
        console = Console(stderr=True)
        hidden = silent or not console.is_terminal
        shown = track(
            batches, "reading images", -(-len(files) // BATCH), console=console, transient=True, disable=hidden
        )
        for index, batch in enumerate(shown):
            pixels[index * BATCH : index * BATCH + len(batch)] = batch
        return pixels


def _limit_bytes() -> int:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with suppress(OSError, ValueError):  # no such file, or "max": no limit
        memory = min(memory, int(LIMIT.read_text(encoding="ascii")))
    return int(MOST_OF_MEMORY * memory)
