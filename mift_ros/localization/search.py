"""Exact search: every query against every tile, one matrix product."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CHUNK = 1 << 16
"""Tiles converted from the mapped float16 at a time when the map is too large to be held as float32."""
RESIDENT_BYTES = 1 << 30
"""Largest float32 copy of the embeddings that is kept in memory: NumPy has no fast float16 product."""


@dataclass(frozen=True)
class Scores:
    """Per tile the best cosine over the queries [N], and which query gave it [N]."""

    best: npt.NDArray[np.float32]
    query: npt.NDArray[np.intp]


class TileSearch:
    """Cosine of queries with all tiles of a map, embeddings [N, D] float16, memory-mapped or not."""

    def __init__(self, embeddings: npt.NDArray[np.float16]) -> None:
        self._mapped = embeddings
        fits = self._mapped.size * 4 <= RESIDENT_BYTES
        self._resident = np.asarray(self._mapped, np.float32) if fits else None

    def __call__(self, queries: npt.NDArray[np.float32]) -> Scores:
        """Best cosine of each tile with any of the queries [Q, D]."""
        best = np.empty(len(self._mapped), np.float32)
        query = np.empty(len(self._mapped), np.intp)
        for start in range(0, len(best), CHUNK):
            part = slice(start, start + CHUNK)
            cosine = self._rows(part) @ queries.T
            query[part] = cosine.argmax(axis=1)
            best[part] = cosine.max(axis=1)
        return Scores(best, query)

    def _rows(self, part: slice) -> npt.NDArray[np.float32]:
        return self._resident[part] if self._resident is not None else self._mapped[part].astype(np.float32)
