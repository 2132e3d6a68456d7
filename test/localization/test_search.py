"""Exact search equals the definition, in one piece or in chunks."""

import numpy as np
import pytest

from mift_ros.localization import search


@pytest.fixture
def embeddings():
    rows = np.random.default_rng(0).standard_normal((1000, 32))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)


def queries(count):
    rows = np.random.default_rng(1).standard_normal((count, 32)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_every_tile_gets_its_best_query(embeddings):
    found = search.TileSearch(embeddings)(queries(5))
    cosine = embeddings.astype(np.float32) @ queries(5).T
    assert np.allclose(found.best, cosine.max(axis=1))
    assert np.array_equal(found.query, cosine.argmax(axis=1))


def test_chunks_and_maps_too_large_for_memory_change_nothing(embeddings, monkeypatch):
    whole = search.TileSearch(embeddings)(queries(3))
    monkeypatch.setattr(search, "CHUNK", 77)
    monkeypatch.setattr(search, "RESIDENT_BYTES", 0)
    parts = search.TileSearch(embeddings)(queries(3))
    assert np.allclose(whole.best, parts.best, atol=1e-6)
    assert (whole.query == parts.query).mean() > 0.99  # rounding may decide between equals


def test_a_tile_is_most_like_itself(embeddings):
    found = search.TileSearch(embeddings)(embeddings[137:138].astype(np.float32))
    assert int(found.best.argmax()) == 137
