"""Open a map cache: parsed header, checked sizes, memory-mapped arrays."""

from __future__ import annotations

import struct
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mift_ros.cache.agreement import check_grid, check_tiles
from mift_ros.cache.layout import DTYPES, MAX_HEADER_BYTES, OPTIONAL, Tensor, locate, manifest_of, parse_header
from mift_ros.cache.manifest import CacheManifest
from mift_ros.errors import CacheError
from mift_ros.geometry.frames import LocalFrame
from mift_ros.geometry.terrain import Terrain
from mift_ros.inference.embedder import ModelIdentity

CHECKED_ROWS = 1 << 14
"""Embeddings whose flags are held at a time."""


class MapCache:
    """A map ready for flight.

    `embeddings` [N, D] float16, `centres_m` [N, 2] float64 (east, north in `frame`), `cells` [N, 2] int32 (grid row
    from the north, column from the west), `raster` [H, W] uint8 grey, 0 where the map has no data, `terrain` the
    heights of the ground or None. All read-only.
    """

    def __init__(self, path: Path, manifest: CacheManifest, arrays: dict[str, npt.NDArray[np.generic]]) -> None:
        """Use `open`."""
        self.path = path
        self.manifest = manifest
        self.embeddings: npt.NDArray[np.float16] = arrays["embeddings"].view(np.float16)
        self.centres_m: npt.NDArray[np.float64] = arrays["centres_m"].view(np.float64)
        self.cells: npt.NDArray[np.int32] = arrays["cells"].view(np.int32)
        self.raster: npt.NDArray[np.uint8] = arrays["raster"].view(np.uint8)
        self.terrain: Terrain | None = None
        if (facts := manifest.terrain) is not None:
            heights = arrays["terrain"].view(np.float32)
            self.terrain = Terrain(heights, facts.west_m, facts.north_m, facts.gsd_m, facts.datum)

    @classmethod
    def open(cls, path: str | Path, identity: ModelIdentity | None = None) -> MapCache:
        """Open a cache, for the model of `identity` when given.

        Raises:
            CacheError: no such file, not a cache, damaged, truncated, of a future version, of another model, or one
                whose tiles are not those of its grid.
        """
        path = Path(path)
        data_start, content, metadata = read_header(path)
        manifest = CacheManifest.from_json(manifest_of(metadata, str(path)), str(path))
        if "manifest_sha256" not in metadata:
            manifest.check_origin(str(path))
        tensors = locate(content, data_start, path.stat().st_size, str(path))
        if tensors["embeddings"].shape[1] != manifest.embedding_dim:
            raise CacheError(f"{path}: embeddings and manifest disagree about their dimension; build the cache again")
        if (OPTIONAL in tensors) != (manifest.terrain is not None):
            raise CacheError(f"{path}: arrays and manifest disagree about a terrain model; build the cache again")
        if identity is not None:
            manifest.check_model(identity, str(path))
        grid = check_grid(manifest, tensors["raster"].shape, str(path))
        mapped = np.memmap(path, np.uint8, mode="r")
        cache = cls(path, manifest, {name: _view(mapped, data_start, tensor) for name, tensor in tensors.items()})
        check_tiles(grid, cache.cells, cache.centres_m, str(path))
        return cache

    @cached_property
    def frame(self) -> LocalFrame:
        """The frame of all metres in this cache."""
        return LocalFrame(self.manifest.origin_lat_deg, self.manifest.origin_lon_deg)

    @property
    def nbytes(self) -> int:
        """Size of all arrays in bytes."""
        heights = self.terrain.heights_m.nbytes if self.terrain is not None else 0
        return self.embeddings.nbytes + self.centres_m.nbytes + self.cells.nbytes + self.raster.nbytes + heights

    def __len__(self) -> int:
        return len(self.embeddings)

    def require_numbers(self) -> None:
        """Read all embeddings once, some 25 ms for 77,000 tiles.

        Raises:
            CacheError: one is not a number.
        """
        for start in range(0, len(self), CHECKED_ROWS):
            if not np.isfinite(self.embeddings[start : start + CHECKED_ROWS]).all():
                raise CacheError(f"{self.path}: holds embeddings that are not numbers; build the cache again")

    def raster_window(
        self, east_m: float, north_m: float, half_width_m: float
    ) -> tuple[npt.NDArray[np.uint8], float, float]:
        """Grey pixels within half_width_m of a point, clipped to the map, with the window's top-left corner in metres.

        The array is empty when the window lies off the map.
        """
        m = self.manifest
        rows, columns = self.raster.shape
        left = (east_m - half_width_m - m.raster_west_m) / m.raster_gsd_m
        top = (m.raster_north_m - north_m - half_width_m) / m.raster_gsd_m
        side = 2 * half_width_m / m.raster_gsd_m
        first_column, last_column = (int(v) for v in np.clip(np.round([left, left + side]), 0, columns))
        first_row, last_row = (int(v) for v in np.clip(np.round([top, top + side]), 0, rows))
        window = self.raster[first_row:last_row, first_column:last_column]
        return window, m.raster_west_m + first_column * m.raster_gsd_m, m.raster_north_m - first_row * m.raster_gsd_m


def read_header(path: Path) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Where the arrays start in the file, their entries (not yet checked), and the metadata.

    Raises:
        CacheError: the file is missing, is not a cache, or ends inside its header.
    """
    if not path.is_file():
        raise CacheError(f"{path}: no such map cache; build one with 'mift map build'")
    with path.open("rb") as file:
        prefix = file.read(8)
        length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else 0
        if not 2 <= length <= MAX_HEADER_BYTES:
            raise CacheError(f"{path}: not a map cache; build one with 'mift map build'")
        head = file.read(length)
    if len(head) < length:
        raise CacheError(f"{path}: truncated, {8 + len(head)} of at least {8 + length} bytes; copy or build it again")
    content, metadata = parse_header(head, str(path))
    return 8 + length, content, metadata


def _view(mapped: npt.NDArray[np.uint8], data_start: int, tensor: Tensor) -> npt.NDArray[np.generic]:
    begin = data_start + tensor.offset
    return np.asarray(mapped[begin : begin + tensor.nbytes]).view(DTYPES[tensor.dtype]).reshape(tensor.shape)
