"""The file a cache is built in: laid out as the finished one, with its progress in the header's place until then."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import struct
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from mift_ros.cache.grid import TileGrid
from mift_ros.cache.layout import DTYPES, Tensor, data_bytes, encode_header, metadata_of, parse_header, plan
from mift_ros.cache.manifest import CacheManifest
from mift_ros.errors import CacheError

logger = logging.getLogger(__name__)

_PARTIAL_FORMAT = "mift-map-cache-partial"
_HASH_CHUNK_BYTES = 2**20


def partial_path(out_path: Path) -> Path:
    """Where the cache `out_path` is built."""
    return out_path.with_name(out_path.name + ".partial")


class WorkFile:
    """A cache under construction, locked against a second builder.

    Written with plain file calls, not through a memory map: mapped pages would count as memory of the process.
    `raster_rows` and `blocks` say how much is already in it.
    """

    def __init__(
        self,
        path: Path,
        manifest: CacheManifest,
        raster_shape: tuple[int, int],
        terrain: npt.NDArray[np.float32] | None = None,
    ) -> None:
        """Open `path`, to continue a build with equal inputs or to start.

        Raises:
            CacheError: another process is building there.
        """
        self.path = path
        self.manifest = manifest
        self.raster_rows = 0
        self.blocks = 0
        self._raster_shape = raster_shape
        self._terrain = terrain
        self._tensors: dict[str, Tensor] = {}
        most_tiles = manifest.grid_rows * manifest.grid_cols
        largest = self._plan(most_tiles)
        self._data_start = len(encode_header(largest, metadata_of(manifest.to_json(), "0" * 64)))
        self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(self._file.fileno()).st_ino != path.stat().st_ino:  # it was finished and renamed meanwhile
                raise FileNotFoundError(path)
        except OSError as error:
            self._file.close()
            raise CacheError(
                f"{path}: another process is building this cache; wait for it or choose another output"
            ) from error
        if not self._resume():
            self._start()

    def __enter__(self) -> WorkFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write_raster(self, rows: npt.NDArray[np.uint8]) -> None:
        """Append rows [R, W] to the raster."""
        self._write(self._data_start + self.raster_rows * self._raster_shape[1], rows)
        self.raster_rows += len(rows)
        self._checkpoint()

    def read_raster(self, first: int, last: int) -> npt.NDArray[np.uint8]:
        """Rows first to last (not included) of the raster."""
        width = self._raster_shape[1]
        self._file.seek(self._data_start + first * width)
        return np.frombuffer(self._file.read((last - first) * width), np.uint8).reshape(last - first, width)

    def place_tiles(self, cells: npt.NDArray[np.int32], grid: TileGrid) -> None:
        """Lay out the arrays for these tiles and write where they are."""
        self._tensors = self._plan(len(cells))
        self._file.truncate(self._data_start + data_bytes(self._tensors))
        if self._terrain is not None:
            self._write(self._data_start + self._tensors["terrain"].offset, self._terrain)
        self._write(self._data_start + self._tensors["centres_m"].offset, grid.centres_m(cells))
        self._write(self._data_start + self._tensors["cells"].offset, cells)

    def write_embeddings(self, indices: npt.NDArray[np.intp], embeddings: npt.NDArray[np.float32]) -> None:
        """Write the embeddings [B, D] of tiles, given by their place among all tiles, and count a block as done."""
        start = self._data_start + self._tensors["embeddings"].offset
        rows = embeddings.astype(DTYPES["F16"])
        for index, row in zip(indices, rows):
            self._write(start + int(index) * row.nbytes, row)
        self.blocks += 1
        self._checkpoint()

    def finish(self, out_path: Path) -> None:
        """Put the header with both SHA-256 in place and give the file its name."""
        self._file.flush()
        self._file.seek(self._data_start)
        digest = hashlib.sha256()
        while chunk := self._file.read(_HASH_CHUNK_BYTES):
            digest.update(chunk)
        metadata = metadata_of(self.manifest.to_json(), digest.hexdigest())
        header = encode_header(self._tensors, metadata, self._data_start - 8)
        self._file.seek(0)
        self._file.write(header)
        self._sync()
        os.replace(self.path, out_path)

    def _plan(self, tiles: int) -> dict[str, Tensor]:
        shape = None if self._terrain is None else (self._terrain.shape[0], self._terrain.shape[1])
        return plan(self._raster_shape, tiles, self.manifest.embedding_dim, shape)

    def _resume(self) -> bool:
        """Take over the progress of an interrupted build of the same cache."""
        if not any(self._file.read(8)):
            return False
        try:
            state = self._read_state()
            found = CacheManifest.from_json(state["manifest"], str(self.path))
            rows, blocks = int(state["raster_rows"]), int(state["blocks"])
        except (CacheError, KeyError, ValueError):
            logger.warning("%s: what an earlier build left cannot be used; starting again", self.path)
            return False
        wanted = self.manifest
        if wanted != replace(found, created_utc=wanted.created_utc, build_command=wanted.build_command):
            logger.warning("%s: left by a build of another map, model or setting; starting again", self.path)
            return False
        logger.warning("%s: continuing an interrupted build", self.path)
        self.manifest, self.raster_rows, self.blocks = found, rows, blocks
        return True

    def _read_state(self) -> dict[str, str]:
        self._file.seek(0)
        prefix = self._file.read(8)
        if prefix != struct.pack("<Q", self._data_start - 8):
            raise CacheError(f"{self.path}: another header length")
        return parse_header(self._file.read(self._data_start - 8), str(self.path), _PARTIAL_FORMAT)[1]

    def _start(self) -> None:
        self._file.truncate(0)
        rows, columns = self._raster_shape
        self._file.truncate(self._data_start + rows * columns)
        self._checkpoint()

    def _checkpoint(self) -> None:
        """Record the progress, after the data it speaks of has reached the disk."""
        self._sync()
        state = {"format": _PARTIAL_FORMAT, "manifest": self.manifest.to_json()}
        state |= {"raster_rows": str(self.raster_rows), "blocks": str(self.blocks)}
        self._write(0, np.frombuffer(encode_header({}, state, self._data_start - 8), np.uint8))
        self._file.flush()

    def _write(self, offset: int, array: npt.NDArray[np.generic]) -> None:
        self._file.seek(offset)
        self._file.write(np.ascontiguousarray(array).data)

    def _sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
