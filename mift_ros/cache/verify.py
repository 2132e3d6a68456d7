"""Check a cache before flight: its bytes, its embeddings, and whether the map and model still make the same ones."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mift_ros.cache.manifest import SHA_SHOWN
from mift_ros.cache.reader import MapCache, read_header
from mift_ros.errors import CacheError
from mift_ros.inference.embedder import Embedder
from mift_ros.maps.source import MapSource

NORM_TOLERANCE = 1e-2
MIN_COSINE = 0.99
"""Below this an embedding made again is another one."""
MAX_CHANGED_SHARE = 0.1
"""A tile read through another window differs by a grey level or two. MIFT's regions end at breakpoints of a sorted heat
map (Eqs. 1-3), so in about one tile of a hundred that moves a pixel across and changes the embedding for real."""
SAMPLE_TILES = 64
_CHUNK_ROWS = 65_536
_HASH_CHUNK_BYTES = 2**20


@dataclass(frozen=True)
class Verification:
    """What was found good; of `tiles_embedded_again`, `tiles_changed` came out differently, within what is allowed."""

    tiles: int
    data_sha256: str
    largest_norm_error: float
    source_checked: bool
    tiles_embedded_again: int
    tiles_changed: int


def verify_cache(
    path: str | Path, source: MapSource | None = None, embedder: Embedder | None = None, seed: int = 0
) -> Verification:
    """Check the hash of the arrays and the norms; with the map its SHA-256; with map and model a sample of tiles.

    Raises:
        CacheError: the first check that fails, with both sides.
    """
    path = Path(path)
    cache = MapCache.open(path, embedder.identity if embedder is not None else None)
    digest = _check_data(path)
    cache.require_numbers()
    norm_error = _check_norms(cache, path)
    cosines = np.empty(0, np.float32)
    if source is not None:
        _check_source(cache, source, path)
        if embedder is not None:
            cosines = _embed_again(cache, source, embedder, seed)
            _check_cosines(cosines, path)
    return Verification(
        tiles=len(cache),
        data_sha256=digest,
        largest_norm_error=norm_error,
        source_checked=source is not None,
        tiles_embedded_again=len(cosines),
        tiles_changed=_changed(cosines),
    )


def _check_data(path: Path) -> str:
    data_start, _, metadata = read_header(path)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(data_start)
        while chunk := file.read(_HASH_CHUNK_BYTES):
            digest.update(chunk)
    stored, found = metadata.get("data_sha256", "none"), digest.hexdigest()
    if found != stored:
        raise CacheError(
            f"{path}: damaged, data SHA-256 {found[:SHA_SHOWN]} is not {stored[:SHA_SHOWN]}; copy it again"
        )
    return found


def _check_norms(cache: MapCache, path: Path) -> float:
    worst = 0.0
    for start in range(0, len(cache), _CHUNK_ROWS):
        rows = cache.embeddings[start : start + _CHUNK_ROWS].astype(np.float32)
        worst = max(worst, float(np.abs(np.linalg.norm(rows, axis=1) - 1.0).max()))
    if not worst <= NORM_TOLERANCE:
        raise CacheError(f"{path}: embedding norms are off by {worst:.3g} from 1; build the cache again")
    return worst


def _check_source(cache: MapCache, source: MapSource, path: Path) -> None:
    found, stored = source.sha256(), cache.manifest.source_sha256
    if found != stored:
        raise CacheError(
            f"{path}: built from {cache.manifest.source_name} ({stored[:SHA_SHOWN]}), but {source.name} is "
            f"{found[:SHA_SHOWN]}; build the cache again from this map"
        )


def _embed_again(cache: MapCache, source: MapSource, embedder: Embedder, seed: int) -> npt.NDArray[np.float32]:
    """Cosines of a random sample of tiles, each read and embedded by itself, with their cached embeddings."""
    m = cache.manifest
    count = min(SAMPLE_TILES, len(cache))
    cosines = []
    for index in np.random.default_rng(seed).choice(len(cache), count, replace=False):
        east, north = cache.centres_m[index]
        west, top = east - m.tile_size_m / 2, north + m.tile_size_m / 2
        patch = source.read(cache.frame, west, top, m.input_size, m.input_size, m.tile_gsd_m)
        (embedding,) = embedder.embed(patch.rgb[None])
        cosines.append(float(embedding @ cache.embeddings[index].astype(np.float32)))
    return np.array(cosines, np.float32)


def _changed(cosines: npt.NDArray[np.float32]) -> int:
    """Tiles that embed differently; what is not a number does."""
    return int((~(cosines >= MIN_COSINE)).sum())


def _check_cosines(cosines: npt.NDArray[np.float32], path: Path) -> None:
    low = _changed(cosines)
    if low > MAX_CHANGED_SHARE * len(cosines):
        raise CacheError(
            f"{path}: {low} of {len(cosines)} tiles embed differently now (median cosine {np.median(cosines):.3f}); "
            "build the cache again"
        )
