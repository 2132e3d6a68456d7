"""How much of the time of a build the embedder works: what reads, warps and writes should go on beside it."""

from __future__ import annotations

import math
import time

import numpy as np
import numpy.typing as npt

from mift_ros.inference.embedder import Embedder, ModelIdentity


class WatchedEmbedder:
    """Passes everything on to an embedder and times it; implements Embedder."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._busy_s = 0.0
        self._first_s = self._last_s = math.nan

    @property
    def identity(self) -> ModelIdentity:
        """The embedder's."""
        return self._embedder.identity

    def embed(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """The embedder's."""
        started = time.perf_counter()
        embeddings = self._embedder.embed(images)
        self._last_s = time.perf_counter()
        self._busy_s += self._last_s - started
        if math.isnan(self._first_s):
            self._first_s = started
        return embeddings

    @property
    def elapsed_s(self) -> float:
        """From the first call to the end of the last; NaN without one."""
        return self._last_s - self._first_s

    @property
    def share(self) -> float:
        """Share of `elapsed_s` that was spent in the embedder; NaN without a call."""
        return self._busy_s / self.elapsed_s
