"""The file format: safetensors, one header and four or five arrays whose places follow from the header alone.

8 bytes header length (little endian) | header JSON, padded with spaces | raster | terrain | centres_m | cells |
embeddings. The terrain is optional. Raster and terrain have widths that are a multiple of 8: their sizes are known
before any tile is chosen, and every array after them lies aligned.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mift_ros.errors import CacheError

FORMAT = "mift-map-cache"
HEADER_UNIT = 4096
MAX_HEADER_BYTES = 2**20
RASTER_WIDTH_UNIT = 8
DTYPES: dict[str, npt.DTypeLike] = {
    "U8": np.uint8,
    "F64": np.float64,
    "F32": np.float32,
    "I32": np.int32,
    "F16": np.float16,
}
TENSORS = {"raster": "U8", "terrain": "F32", "centres_m": "F64", "cells": "I32", "embeddings": "F16"}
OPTIONAL = "terrain"


@dataclass(frozen=True)
class Tensor:
    """An array in the file; `offset` counts from the end of the header."""

    dtype: str
    shape: tuple[int, int]
    offset: int

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        size = np.dtype(DTYPES[self.dtype]).itemsize
        for side in self.shape:
            size *= side
        return size


def plan(
    raster_shape: tuple[int, int], tiles: int, embedding_dim: int, terrain_shape: tuple[int, int] | None = None
) -> dict[str, Tensor]:
    """Where each array goes, in file order."""
    shapes = {
        "raster": raster_shape,
        "terrain": terrain_shape,
        "centres_m": (tiles, 2),
        "cells": (tiles, 2),
        "embeddings": (tiles, embedding_dim),
    }
    placed: dict[str, Tensor] = {}
    offset = 0
    for name, dtype in TENSORS.items():
        shape = shapes[name]
        if shape is not None:
            placed[name] = Tensor(dtype, shape, offset)
            offset += placed[name].nbytes
    return placed


def data_bytes(tensors: dict[str, Tensor]) -> int:
    """Size of all arrays."""
    return sum(tensor.nbytes for tensor in tensors.values())


def encode_header(tensors: dict[str, Tensor], metadata: dict[str, str], length: int = 0) -> bytes:
    """Length prefix and header, padded to `length` bytes of JSON or, when 0, to the next unit."""
    content: dict[str, Any] = {"__metadata__": metadata}
    for name, t in tensors.items():
        content[name] = {"dtype": t.dtype, "shape": t.shape, "data_offsets": [t.offset, t.offset + t.nbytes]}
    text = json.dumps(content).encode()
    length = length or -(-len(text) // HEADER_UNIT) * HEADER_UNIT - 8
    if len(text) > length:
        raise CacheError(f"the cache header needs {len(text)} bytes, {length} were reserved; shorten the attribution")
    return struct.pack("<Q", length) + text.ljust(length)


def parse_header(head: bytes, where: str, kind: str = FORMAT) -> tuple[dict[str, Any], dict[str, str]]:
    """Array entries, not yet checked, and metadata of a header.

    Raises:
        CacheError: not the header of a map cache.
    """
    try:
        content = json.loads(head)
        metadata = content.pop("__metadata__")
        if metadata["format"] != kind or not all(isinstance(value, str) for value in metadata.values()):
            raise ValueError("another format")
        return content, metadata
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CacheError(f"{where}: not a map cache; build one with 'mift map build'") from error


def metadata_of(manifest: str, data_sha256: str) -> dict[str, str]:
    """What the header says besides where the arrays are; `manifest` is its JSON."""
    hashes = {"data_sha256": data_sha256, "manifest_sha256": _sha256(manifest)}
    return {"format": FORMAT, "manifest": manifest, **hashes}


def manifest_of(metadata: dict[str, str], where: str) -> str:
    """The manifest's text, checked against its hash where there is one: early caches have none.

    Raises:
        CacheError: the manifest is damaged.
    """
    manifest = metadata.get("manifest", "")
    if metadata.get("manifest_sha256", found := _sha256(manifest)) != found:
        raise CacheError(f"{where}: the manifest is damaged (its SHA-256 differs); copy or build the cache again")
    return manifest


def locate(content: dict[str, Any], data_start: int, file_bytes: int, where: str) -> dict[str, Tensor]:
    """The arrays, checked to fill the file exactly.

    Raises:
        CacheError: an array is missing or out of place, or the file has another size than its header says.
    """
    try:
        tensors = {
            name: _tensor(content[name], dtype)
            for name, dtype in TENSORS.items()
            if name != OPTIONAL or name in content
        }
        raster, (tiles, _), (_, dim) = (tensors[name].shape for name in ("raster", "cells", "embeddings"))
        terrain = tensors[OPTIONAL].shape if OPTIONAL in tensors else None
        if tensors != plan(raster, tiles, dim, terrain):
            raise ValueError("out of place")
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise CacheError(f"{where}: the header describes no map cache ({error}); build the cache again") from error
    expected = data_start + data_bytes(tensors)
    if expected != file_bytes:
        state = "truncated" if file_bytes < expected else "longer than it should be"
        raise CacheError(f"{where}: {state}, {file_bytes} of {expected} bytes; copy or build it again")
    return tensors


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def _tensor(raw: dict[str, Any], dtype: str) -> Tensor:
    rows, columns = (int(side) for side in raw["shape"])
    begin, end = (int(offset) for offset in raw["data_offsets"])
    tensor = Tensor(dtype, (rows, columns), begin)
    if raw["dtype"] != dtype or min(rows, columns) < 1 or begin < 0 or end - begin != tensor.nbytes:
        raise ValueError("array out of shape")
    return tensor
