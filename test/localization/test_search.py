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


def test_the_cosine_of_every_query_with_every_tile(embeddings):
    found = search.TileSearch(embeddings)(queries(5))
    assert np.allclose(found, queries(5) @ embeddings.astype(np.float32).T, atol=1e-6)


def test_chunks_and_maps_too_large_for_memory_change_nothing(embeddings, monkeypatch):
    whole = search.TileSearch(embeddings)(queries(3))
    monkeypatch.setattr(search, "CHUNK", 77)
    monkeypatch.setattr(search, "RESIDENT_BYTES", 0)
    assert np.allclose(whole, search.TileSearch(embeddings)(queries(3)), atol=1e-6)


def test_a_tile_is_most_like_itself(embeddings):
    found = search.TileSearch(embeddings)(embeddings[137:138].astype(np.float32))
    assert int(found.argmax()) == 137


@pytest.fixture
def vote():
    cells = np.array([(r, c) for r in range(6) for c in range(8) if (r, c) != (0, 0)], np.int32)
    return search.TileVote(cells, rows=6, cols=8, stride_m=10.0), cells


def at(cells, row, col):
    return int(np.flatnonzero((cells == (row, col)).all(axis=1))[0])


def test_one_look_is_taken_as_it_is(vote):
    join, cells = vote
    scores = np.arange(len(cells), dtype=np.float32)[None]
    assert np.array_equal(join(scores, np.zeros((1, 2))), scores[0])


def test_looks_agree_on_the_tile_that_their_shifts_point_to(vote):
    join, cells = vote
    looks = np.zeros((2, len(cells)), np.float32)
    looks[0, at(cells, 3, 4)] = 1.0  # the view's centre
    looks[1, at(cells, 1, 6)] = 1.0  # 20 m east and 20 m north of it
    joint = join(looks, np.array([[0.0, 0.0], [20.0, 20.0]]))
    assert int(joint.argmax()) == at(cells, 3, 4)
    assert joint.max() == pytest.approx(1.0)


def test_a_look_beyond_the_map_says_nothing(vote):
    join, cells = vote
    looks = np.full((2, len(cells)), 0.3, np.float32)
    assert join(looks, np.array([[0.0, 0.0], [500.0, 0.0]])) == pytest.approx(0.3)
