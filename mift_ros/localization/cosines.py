"""Cosine of queries with every tile of a map: one matrix product over all embeddings, as fast as they can be read."""

from __future__ import annotations

import logging
from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from mift_ros.errors import ModelError
from mift_ros.inference.int8_product import Int8Product

logger = logging.getLogger(__name__)

BLOCK_BYTES = 1 << 19
"""Of tiles as float32 that are multiplied at a time: they stay in the processor's second cache."""
RESIDENT_BYTES = 1 << 30
"""Largest copy of the embeddings that is kept in memory, where no page of it can be taken away in flight."""
CONVERT = getattr(cv2, "convertFp16", None)
"""OpenCV 4's uses the processor's instruction, at six times the rate of NumPy on x86; OpenCV 5 has none."""
Cosines = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
"""Queries [Q, D] to their cosine [Q, N] with every tile."""


def tile_cosines(embeddings: npt.NDArray[np.float16]) -> Cosines:
    """Over embeddings [N, D], memory-mapped or not: in int8 where ONNX Runtime is there, else exact and slower."""
    try:
        return Int8Product(embeddings)
    except ModelError as error:
        logger.info("tiles are compared in float32: %s", error)
        return HalfCosines(embeddings)


class HalfCosines:
    """Cosine of queries with all tiles of a map, embeddings [N, D] float16, memory-mapped or not."""

    def __init__(self, embeddings: npt.NDArray[np.float16]) -> None:
        self._tiles = np.array(embeddings) if embeddings.nbytes <= RESIDENT_BYTES else embeddings

    def __call__(self, queries: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Cosine [Q, N] of the queries [Q, D] with every tile; float16 is read once, and exact as float32."""
        count, dim = self._tiles.shape
        columns = np.ascontiguousarray(queries.T)
        cosine = np.empty((len(queries), count), np.float32)
        block = np.empty((max(1, BLOCK_BYTES // (4 * dim)), dim), np.float32)
        for start in range(0, count, len(block)):
            half = self._tiles[start : start + len(block)]
            single = _as_float32(half, block[: len(half)])
            # rows of tiles times columns of queries: the other way round the product repacks every block
            cosine[:, start : start + len(half)] = (single @ columns).T
        return cosine


def _as_float32(half: npt.NDArray[np.float16], out: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    if CONVERT is None:
        np.copyto(out, half)
    else:
        CONVERT(half.view(np.int16), out)
    return out
