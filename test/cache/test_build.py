"""What a built cache holds, and that an interrupted build ends in the same bytes."""

from __future__ import annotations

import fcntl
import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from safetensors.numpy import load_file

from mift_ros.cache import grid as grid_module
from mift_ros.cache.build import BuildOptions, build_cache
from mift_ros.cache.reader import MapCache
from mift_ros.cache.workfile import partial_path
from mift_ros.errors import CacheError, ConfigError, MapError, ModelError
from mift_ros.maps.open import open_map
from mift_ros.maps.source import GeoBounds

OPTIONS = BuildOptions(tile_size_m=32.0, stride_m=8.0, imagery_date="2024-05", attribution="nobody")


class KilledError(Exception):
    """The process dies."""


class FailingEmbedder:
    """An embedder that dies after some batches."""

    def __init__(self, inner: Any, batches: int) -> None:
        self.inner, self.left, self.identity = inner, batches, inner.identity

    def embed(self, images: np.ndarray) -> np.ndarray:
        self.left -= 1
        if self.left < 0:
            raise KilledError
        result: np.ndarray = self.inner.embed(images)
        return result


def test_each_tile_holds_the_embedding_of_its_own_ground(cache_path: Path, source: Any, embedder: Any) -> None:
    cache = MapCache.open(cache_path, embedder.identity)
    m = cache.manifest
    for index in range(0, len(cache), 7):
        east, north = cache.centres_m[index]
        patch = source.read(cache.frame, east - 16, north + 16, m.input_size, m.input_size, m.tile_gsd_m)
        (alone,) = embedder.embed(patch.rgb[None])
        assert alone @ cache.embeddings[index].astype(np.float32) > 0.999


def test_cells_and_centres_lie_on_one_grid(cache_path: Path) -> None:
    cache = MapCache.open(cache_path)
    m = cache.manifest
    corner = cache.centres_m - np.stack([cache.cells[:, 1] * m.stride_m, -cache.cells[:, 0] * m.stride_m], axis=1)
    assert np.ptp(corner, axis=0) == pytest.approx([0, 0], abs=1e-9)
    assert (cache.cells >= 0).all() and (cache.cells < (m.grid_rows, m.grid_cols)).all()
    order = cache.cells[:, 0].astype(int) * m.grid_cols + cache.cells[:, 1]
    assert (np.diff(order) > 0).all()


def test_tiles_without_imagery_are_left_out(cache_path: Path) -> None:
    """The south-east quarter has no imagery."""
    cache = MapCache.open(cache_path)
    east, north = cache.centres_m.T
    assert not ((east > 20) & (north < -20)).any()
    assert ((east > 20) & (north > 20)).any() and ((east < -20) & (north < -20)).any()


def test_the_raster_is_the_map_in_grey_with_zero_for_no_data(cache_path: Path, source: Any) -> None:
    cache = MapCache.open(cache_path)
    m = cache.manifest
    rows, cols = cache.raster.shape
    patch = source.read(cache.frame, m.raster_west_m, m.raster_north_m, cols, rows, m.raster_gsd_m)
    grey = np.where(patch.valid, np.maximum(cv2.cvtColor(patch.rgb, cv2.COLOR_RGB2GRAY), 1), 0)
    assert m.raster_gsd_m == 1.0
    assert np.array_equal(cache.raster, grey)
    assert 0.2 < (cache.raster == 0).mean() < 0.4


def test_the_file_is_plain_safetensors(cache_path: Path) -> None:
    cache, arrays = MapCache.open(cache_path), load_file(cache_path)
    assert set(arrays) == {"embeddings", "centres_m", "cells", "raster"}
    for name, array in arrays.items():
        mine = getattr(cache, name)
        assert array.dtype == mine.dtype and np.array_equal(array, mine)


def test_the_manifest_says_what_went_in(cache_path: Path, source: Any, embedder: Any) -> None:
    m = MapCache.open(cache_path).manifest
    assert (m.source_name, m.source_sha256) == ("town.tif", source.sha256())
    assert (m.model_name, m.model_sha256, m.input_size) == ("tiny", embedder.identity.weights_sha256, 64)
    assert (m.tile_size_m, m.stride_m, m.tile_gsd_m) == (32.0, 8.0, 0.5)
    assert (m.imagery_date, m.attribution) == ("2024-05", "nobody")
    assert (m.bounds_m[2] - m.bounds_m[0], m.bounds_m[3] - m.bounds_m[1]) == pytest.approx((200, 140), abs=1.0)
    assert (m.origin_lat_deg, m.origin_lon_deg) == pytest.approx((47.85, 9.0), abs=0.01)


def test_a_stride_of_a_quarter_tile_is_the_default(source: Any, embedder: Any, tmp_path: Path) -> None:
    manifest = build_cache(source, embedder, tmp_path / "c", BuildOptions(tile_size_m=64.0))
    assert manifest.stride_m == 16.0


@pytest.mark.parametrize("batches", [0, 1, 4])
def test_an_interrupted_build_continues_to_the_same_bytes(
    source: Any, embedder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any, batches: int
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    monkeypatch.setattr(grid_module, "BLOCK_TILES", 4)  # one batch per block
    build_cache(source, embedder, tmp_path / "whole", OPTIONS)
    with pytest.raises(KilledError):
        build_cache(source, FailingEmbedder(embedder, batches), tmp_path / "halves", OPTIONS)
    assert partial_path(tmp_path / "halves").exists() and not (tmp_path / "halves").exists()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    counting = FailingEmbedder(embedder, 10_000)
    with caplog.at_level(logging.WARNING):
        build_cache(source, counting, tmp_path / "halves", replace(OPTIONS, build_command="again"))
    assert "continuing" in caplog.text
    assert (tmp_path / "halves").read_bytes() == (tmp_path / "whole").read_bytes()
    assert not partial_path(tmp_path / "halves").exists()
    everything = FailingEmbedder(embedder, 10_000)
    build_cache(source, everything, tmp_path / "count", OPTIONS)
    assert counting.left - everything.left == batches


@pytest.mark.parametrize("change", [{"stride_m": 16.0}, {"attribution": "somebody"}])
def test_what_another_build_left_is_not_continued(
    source: Any, embedder: Any, tmp_path: Path, caplog: Any, change: dict[str, Any]
) -> None:
    out = tmp_path / "town.cache"
    with pytest.raises(KilledError):
        build_cache(source, FailingEmbedder(embedder, 1), out, OPTIONS)
    with caplog.at_level(logging.WARNING):
        build_cache(source, embedder, out, replace(OPTIONS, **change))
    assert "starting again" in caplog.text
    fresh = tmp_path / "fresh.cache"
    build_cache(source, embedder, fresh, replace(OPTIONS, **change))
    assert np.array_equal(MapCache.open(out).embeddings, MapCache.open(fresh).embeddings)


@pytest.mark.parametrize("left", [b"", b"garbage", bytes(100_000)])
def test_rubbish_in_the_work_file_starts_again(source: Any, embedder: Any, tmp_path: Path, left: bytes) -> None:
    out = tmp_path / "town.cache"
    partial_path(out).write_bytes(left)
    build_cache(source, embedder, out, OPTIONS)
    assert len(MapCache.open(out)) > 0


def test_an_old_cache_stays_until_the_new_one_is_complete(
    cache_path: Path, source: Any, embedder: Any, tmp_path: Path
) -> None:
    out = tmp_path / "town.cache"
    shutil.copy(cache_path, out)
    with pytest.raises(KilledError):
        build_cache(source, FailingEmbedder(embedder, 1), out, replace(OPTIONS, stride_m=16.0))
    assert out.read_bytes() == cache_path.read_bytes()


def test_two_builders_do_not_share_a_work_file(source: Any, embedder: Any, tmp_path: Path) -> None:
    out = tmp_path / "town.cache"
    with partial_path(out).open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(CacheError, match="another process is building"):
            build_cache(source, embedder, out, OPTIONS)


def test_a_work_file_that_another_builder_has_just_finished_is_not_touched(
    source: Any, embedder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening and locking it the other one may rename it to what is then the finished cache."""
    out, lock = tmp_path / "town.cache", fcntl.flock
    partial_path(out).write_bytes(b"a finished cache")

    def finished_before(file: Any, how: int) -> None:
        if partial_path(out).exists():
            partial_path(out).rename(out)
        lock(file, how)

    monkeypatch.setattr("fcntl.flock", finished_before)
    with pytest.raises(CacheError, match="another process is building"):
        build_cache(source, embedder, out, OPTIONS)
    assert out.read_bytes() == b"a finished cache"


def test_embeddings_that_are_not_numbers_make_no_cache(source: Any, embedder: Any, tmp_path: Path) -> None:
    class Broken(FailingEmbedder):
        def embed(self, images: np.ndarray) -> np.ndarray:
            result = super().embed(images)
            result[0, 0] = np.nan
            return result

    with pytest.raises(ModelError, match="embeddings of map tiles are not numbers"):
        build_cache(source, Broken(embedder, 1000), tmp_path / "c", OPTIONS)
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(("most_px", "raster_gsd_m"), [(150, 1.0), (60, 1.0), (40, 1.5)])
def test_the_raster_is_no_finer_than_the_tiles_can_use(
    source: Any, embedder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_px: int, raster_gsd_m: float
) -> None:
    monkeypatch.setattr("mift_ros.cache.build.MOST_RASTER_PX", most_px)
    build_cache(source, embedder, tmp_path / "c", BuildOptions(tile_size_m=60.0))
    assert MapCache.open(tmp_path / "c").manifest.raster_gsd_m == pytest.approx(raster_gsd_m)


def test_a_folder_is_no_cache_to_write(source: Any, embedder: Any, tmp_path: Path) -> None:
    with pytest.raises(CacheError, match="is a folder"):
        build_cache(source, embedder, tmp_path, OPTIONS)


def test_progress_reaches_its_end(source: Any, embedder: Any, tmp_path: Path) -> None:
    seen: dict[str, tuple[int, int]] = {}
    build_cache(
        source, embedder, tmp_path / "c", OPTIONS, lambda stage, done, total: seen.update({stage: (done, total)})
    )
    assert set(seen) == {"raster", "tiles"} and all(done == total > 0 for done, total in seen.values())


def test_a_map_smaller_than_a_tile(source: Any, embedder: Any, tmp_path: Path) -> None:
    with pytest.raises(MapError, match=r"town\.tif: the map is .* smaller than one tile of 500 m"):
        build_cache(source, embedder, tmp_path / "c", BuildOptions(tile_size_m=500.0))


def test_a_map_without_imagery(source: Any, embedder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    b = source.bounds
    empty = GeoBounds(b.west + 0.1, b.south, b.east + 0.1, b.north)
    monkeypatch.setattr(type(source), "bounds", property(lambda self: empty))
    with pytest.raises(MapError, match="no tile is at least 50% covered"):
        build_cache(source, embedder, tmp_path / "c", OPTIONS)


def test_a_cache_larger_than_the_disk(source: Any, embedder: Any, tmp_path: Path) -> None:
    with pytest.raises(CacheError, match=r"may need \d+ MB, \d+ MB are free"):
        build_cache(source, embedder, tmp_path / "c", BuildOptions(tile_size_m=32.0, raster_gsd_m=1e-5))


def test_no_folder_to_write_to(source: Any, embedder: Any, tmp_path: Path) -> None:
    with pytest.raises(CacheError, match="no such folder"):
        build_cache(source, embedder, tmp_path / "absent" / "c", OPTIONS)


def test_a_raster_as_coarse_as_a_tile(source: Any, embedder: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="raster resolution 10 m"):
        build_cache(source, embedder, tmp_path / "c", BuildOptions(tile_size_m=32.0, raster_gsd_m=10.0))


def test_a_truncated_map_ends_the_build_with_the_map_s_name(map_path: Path, embedder: Any, tmp_path: Path) -> None:
    short = tmp_path / "short.tif"
    short.write_bytes(map_path.read_bytes()[:200_000])
    with pytest.raises(MapError, match=r"short\.tif"):
        build_cache(open_map(short), embedder, tmp_path / "c", OPTIONS)
