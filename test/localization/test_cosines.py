"""Queries meet every tile: exactly in float16, and in int8 so nearly that no place is mistaken for another."""

import sys

import numpy as np
import pytest

from mift_ros.localization import cosines


def unit_rows(seed, count, dim=32):
    rows = np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def embeddings():
    return unit_rows(0, 1000).astype(np.float16)


def exact(queries, embeddings):
    return queries @ embeddings.astype(np.float32).T


def test_the_cosine_of_every_query_with_every_tile(embeddings):
    queries = unit_rows(1, 5)
    assert cosines.HalfCosines(embeddings)(queries) == pytest.approx(exact(queries, embeddings), abs=1e-6)
    assert cosines.tile_cosines(embeddings)(queries) == pytest.approx(exact(queries, embeddings), abs=0.01)


@pytest.mark.parametrize("block_bytes", [1, 77 * 32 * 4, 1 << 30])
@pytest.mark.parametrize("resident_bytes", [0, 1 << 30])
def test_blocks_and_maps_too_large_for_memory_change_nothing(embeddings, monkeypatch, block_bytes, resident_bytes):
    monkeypatch.setattr(cosines, "BLOCK_BYTES", block_bytes)
    monkeypatch.setattr(cosines, "RESIDENT_BYTES", resident_bytes)
    queries = unit_rows(1, 3)
    assert cosines.HalfCosines(embeddings)(queries) == pytest.approx(exact(queries, embeddings), abs=1e-6)


@pytest.mark.parametrize("convert", [cosines.CONVERT, None], ids=["opencv", "numpy"])
def test_every_finite_float16_is_taken_exactly(monkeypatch, convert):
    monkeypatch.setattr(cosines, "CONVERT", convert)
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)].reshape(-1, 1)
    found = cosines.HalfCosines(halves)(np.ones((1, 1), np.float32))
    assert np.array_equal(found[0], halves[:, 0].astype(np.float32))


@pytest.mark.parametrize("kind", [cosines.HalfCosines, cosines.tile_cosines])
def test_a_map_that_is_read_only_is_searched_and_a_tile_is_most_like_itself(embeddings, monkeypatch, kind):
    monkeypatch.setattr(cosines, "RESIDENT_BYTES", 0)
    embeddings.flags.writeable = False
    found = kind(embeddings)(embeddings[137:138].astype(np.float32))
    assert found.shape == (1, 1000) and int(found.argmax()) == 137


def test_without_a_runtime_tiles_are_compared_in_float32_and_the_log_says_why(embeddings, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with caplog.at_level("INFO"):
        find = cosines.tile_cosines(embeddings)
    assert isinstance(find, cosines.HalfCosines)
    assert "tiles are compared in float32" in caplog.text and "install 'mift_ros[cpu]'" in caplog.text
