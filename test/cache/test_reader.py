"""Opening caches: good ones, and every kind of bad one."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mift_ros.cache.layout import metadata_of
from mift_ros.cache.manifest import CacheManifest
from mift_ros.cache.reader import MapCache, read_header
from mift_ros.errors import CacheError


def rewrite_header(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the header's JSON in place, at equal length."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode().ljust(length)
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])


def set_manifest(**changes: Any) -> Callable[[dict[str, Any]], None]:
    def change(header: dict[str, Any]) -> None:
        manifest = json.loads(header["__metadata__"]["manifest"])
        header["__metadata__"].update(metadata_of(json.dumps({**manifest, **changes}), "0" * 64))

    return change


@pytest.fixture
def copy(cache_path: Path, tmp_path: Path) -> Path:
    path = tmp_path / "copy.cache"
    shutil.copy(cache_path, path)
    return path


def test_arrays_are_mapped_aligned_and_read_only(cache_path: Path) -> None:
    cache = MapCache.open(cache_path)
    assert cache.embeddings.shape == (len(cache), 192) and cache.embeddings.dtype == np.float16
    for array in (cache.embeddings, cache.centres_m, cache.cells, cache.raster):
        assert array.flags.aligned and not array.flags.writeable and not array.flags.owndata
    assert cache.nbytes < cache_path.stat().st_size < cache.nbytes + 8192


def test_a_raster_window_by_hand(cache_path: Path) -> None:
    cache = MapCache.open(cache_path)
    m = cache.manifest
    east, north = m.raster_west_m + 60.0, m.raster_north_m - 40.0
    window, west, top = cache.raster_window(east, north, 20.0)
    assert (west, top) == pytest.approx((east - 20, north + 20))
    assert np.array_equal(window, cache.raster[20:60, 40:80])


def test_a_raster_window_is_clipped_to_the_map(cache_path: Path) -> None:
    cache = MapCache.open(cache_path)
    m = cache.manifest
    window, west, top = cache.raster_window(m.raster_west_m, m.raster_north_m, 30.0)
    assert window.shape == (30, 30) and (west, top) == (m.raster_west_m, m.raster_north_m)
    assert cache.raster_window(1e6, 1e6, 30.0)[0].size == 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(share=st.floats(0, 0.999999))
def test_a_truncated_cache_is_always_an_error(cache_path: Path, tmp_path: Path, share: float) -> None:
    content = cache_path.read_bytes()
    short = tmp_path / "short.cache"
    short.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(CacheError, match=r"short\.cache"):
        MapCache.open(short)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(at=st.integers(0, 3500), value=st.integers(0, 255))
def test_a_damaged_header_is_an_error_or_harmless(cache_path: Path, tmp_path: Path, at: int, value: int) -> None:
    content = bytearray(cache_path.read_bytes())
    content[at] = value
    path = tmp_path / "damaged.cache"
    path.write_bytes(content)
    try:
        cache = MapCache.open(path)
    except CacheError as error:
        assert "damaged.cache" in str(error) and "\n" not in str(error)
    else:
        assert cache.manifest == MapCache.open(cache_path).manifest
        for name in ("embeddings", "centres_m", "cells", "raster"):
            assert np.array_equal(getattr(cache, name), getattr(MapCache.open(cache_path), name))


@pytest.mark.parametrize("field", ["origin_lon_deg", "raster_north_m", "raster_gsd_m", "stride_m"])
def test_one_flipped_bit_of_the_place_is_found(copy: Path, field: str) -> None:
    content = bytearray(copy.read_bytes())
    at = content.index(f'\\"{field}\\": '.encode()) + len(field) + 6
    content[at + (content[at] == ord("-"))] ^= 1
    copy.write_bytes(content)
    with pytest.raises(CacheError, match=r"copy\.cache: the manifest is damaged"):
        MapCache.open(copy)


def test_a_cache_from_before_the_hash_opens_where_origin_and_crs_agree(copy: Path) -> None:
    def forget(header: dict[str, Any]) -> None:
        del header["__metadata__"]["manifest_sha256"]

    manifest = MapCache.open(copy).manifest
    rewrite_header(copy, forget)
    assert MapCache.open(copy).manifest == manifest
    rewrite_header(copy, lambda header: (set_manifest(origin_lat_deg=46.0)(header), forget(header)))
    with pytest.raises(CacheError, match=r"copy\.cache: the origin \(46\.0, 9\.\d+\) is not that of the CRS"):
        MapCache.open(copy)


def test_truncation_names_both_sizes(cache_path: Path, copy: Path) -> None:
    size = cache_path.stat().st_size
    copy.write_bytes(copy.read_bytes()[:-1])
    with pytest.raises(CacheError, match=f"truncated, {size - 1} of {size} bytes"):
        MapCache.open(copy)


def test_bytes_too_many(copy: Path) -> None:
    copy.write_bytes(copy.read_bytes() + b"x")
    with pytest.raises(CacheError, match="longer than it should be"):
        MapCache.open(copy)


@pytest.mark.parametrize("content", [b"", b"abc", b"\xff" * 64, struct.pack("<Q", 2) + b"{}", b"PK\x03\x04" * 9])
def test_what_is_not_a_cache(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "thing"
    path.write_bytes(content)
    with pytest.raises(CacheError, match="thing: not a map cache"):
        MapCache.open(path)


def test_a_model_in_safetensors_is_not_a_cache(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"embeddings": np.zeros((2, 2), np.float16)}, tmp_path / "weights.safetensors")
    with pytest.raises(CacheError, match="not a map cache"):
        MapCache.open(tmp_path / "weights.safetensors")


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match="no such map cache; build one"):
        MapCache.open(tmp_path / "absent")


def test_a_future_version_names_both_versions(copy: Path) -> None:
    def change(header: dict[str, Any]) -> None:
        set_manifest(format_version=3)(header)
        del header["embeddings"]

    rewrite_header(copy, change)
    with pytest.raises(CacheError, match="cache format version 3, this software reads versions 1 to 2"):
        MapCache.open(copy)


def test_another_model_names_both_models(cache_path: Path, tiny: Any) -> None:
    other = tiny.identity(name="mift_nano", weights_sha256="ab" * 32)
    with pytest.raises(
        CacheError, match=r"built with tiny test \(8950abfda7b7\), but the loaded model is mift_nano test \(abab"
    ):
        MapCache.open(cache_path, other)
    assert MapCache.open(cache_path, tiny.identity()).manifest.model_name == "tiny"


@pytest.mark.parametrize(
    "change",
    [
        {"stride_m": -1.0}, {"stride_m": "8"}, {"stride_m": None}, {"grid_rows": 2.5}, {"grid_rows": True},
        {"tile_gsd_m": 0.7}, {"bounds_m": [1, 2, 3]}, {"bounds_m": [5, 0, 1, 9]}, {"model_sha256": "abc"},
        {"origin_lat_deg": 95.0}, {"origin_lat_deg": 1e400}, {"pca": [1.0]}, {"raster_gsd_m": 0}, {"source_name": 7},
        {"embedding_dim": 128},
    ],
    ids=str,
)  # fmt: skip
def test_a_manifest_value_out_of_place(copy: Path, change: dict[str, Any]) -> None:
    rewrite_header(copy, set_manifest(**change))
    with pytest.raises(CacheError, match=r"copy\.cache: (manifest field|embeddings and manifest)"):
        MapCache.open(copy)


@pytest.mark.parametrize(
    "change",
    [
        {"grid_rows": 10**6, "grid_cols": 10**6}, {"tile_size_m": 1e9, "tile_gsd_m": 1e9 / 64}, {"raster_gsd_m": 1e-9},
        {"tile_size_m": 6.4e-309, "tile_gsd_m": 1e-310, "stride_m": 1e-310}, {"stride_m": 8.1}, {"raster_gsd_m": 2.0},
        {"raster_west_m": 8e8}, {"bounds_m": [-9e8, -9e8, 9e8, 9e8]}, {"raster_north_m": 70.5}, {"stride_m": 16.0},
    ],
    ids=str,
)  # fmt: skip
def test_a_manifest_of_another_grid(copy: Path, change: dict[str, Any]) -> None:
    rewrite_header(copy, set_manifest(**change))
    with pytest.raises(CacheError, match=r"copy\.cache: (the (grid|raster|raster corner|stride)|no grid can be) "):
        MapCache.open(copy)


@pytest.mark.parametrize("change", [{"raster_west_m": 1e308}, {"grid_rows": 10**400}, {"tile_gsd_m": 10**400}], ids=str)
def test_figures_beyond_the_earth(copy: Path, change: dict[str, Any]) -> None:
    raw = json.loads(MapCache.open(copy).manifest.to_json())
    with pytest.raises(CacheError, match=rf"here: manifest field '{next(iter(change))}' is too large"):
        CacheManifest.from_json(json.dumps({**raw, **change}), "here")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("cells", (-5, 100_000_000), "its cells are not those of a grid of 15 x 23"),
        ("cells", (2, 23), "its cells are not those"),
        ("cells", (0, 0), "its cells are not those"),
        ("centres_m", (np.nan, np.nan), "centres of tiles are not where"),
        ("centres_m", (1e300, 0.0), "centres of tiles are not where"),
    ],
)
def test_tiles_out_of_place(copy: Path, name: str, value: tuple[float, float], told: str) -> None:
    tensor = read_header(copy)[1][name]
    with copy.open("r+b") as file:
        file.seek(read_header(copy)[0] + tensor["data_offsets"][0] + (3 * 2 * (4 if name == "cells" else 8)))
        file.write(np.array(value, np.int32 if name == "cells" else np.float64).tobytes())
    with pytest.raises(CacheError, match=rf"copy\.cache: {told}"):
        MapCache.open(copy)


@pytest.mark.parametrize("shape", [[10**18, 10**18], [-1, 2], [0, 192], [3], ["a", 2], [1e400, 1]])
def test_array_sizes_are_checked_before_anything_is_mapped(copy: Path, shape: list[Any]) -> None:
    rewrite_header(copy, lambda header: header["embeddings"].update(shape=shape))
    with pytest.raises(CacheError, match="describes no map cache"):
        MapCache.open(copy)


def test_the_manifest_survives_its_json(cache_path: Path) -> None:
    manifest = MapCache.open(cache_path).manifest
    assert CacheManifest.from_json(manifest.to_json(), "here") == manifest
