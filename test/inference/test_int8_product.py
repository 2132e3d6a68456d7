"""Products in int8: within what eight bits allow, and the same whatever else is asked with them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mift_ros.errors import ModelError
from mift_ros.inference import int8_product
from mift_ros.inference.int8_product import Int8Product


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 40), st.integers(1, 5), st.integers(1, 20), st.integers(0, 1 << 20))
def test_a_product_is_off_by_no_more_than_half_a_level_of_each_factor(count, asked, dim, seed):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((count, dim)).astype(np.float32)
    queries = rng.standard_normal((asked, dim)).astype(np.float32)
    half_row, half_query = np.abs(rows).max(axis=1) / 254, np.abs(queries).max(axis=1) / 254
    bound = np.abs(queries).sum(axis=1)[:, None] * half_row + np.abs(rows).sum(axis=1) * half_query[:, None]
    bound += dim * half_query[:, None] * half_row + 1e-5
    assert (np.abs(Int8Product(rows)(queries) - queries @ rows.T) <= bound).all()


def test_a_query_alone_scores_as_it_does_among_others():
    rng = np.random.default_rng(0)
    product, queries = Int8Product(rng.standard_normal((300, 64))), rng.standard_normal((7, 64)).astype(np.float32)
    together = product(queries)
    for index in range(7):
        assert np.array_equal(product(queries[index : index + 1])[0], together[index])


def test_parts_change_nothing(monkeypatch):
    rng = np.random.default_rng(1)
    rows, queries = rng.standard_normal((1000, 16)).astype(np.float16), rng.standard_normal((3, 16)).astype(np.float32)
    whole = Int8Product(rows)(queries)
    monkeypatch.setattr(int8_product, "PART_BYTES", 77 * 16)
    assert np.array_equal(Int8Product(rows)(queries), whole)


def test_a_black_row_and_a_black_query_score_nothing():
    product = Int8Product(np.array([[0.0, 0.0], [0.6, 0.8]], np.float32))
    assert np.array_equal(product(np.zeros((1, 2), np.float32)), np.zeros((1, 2)))
    assert product(np.array([[0.6, 0.8]], np.float32)) == pytest.approx(np.array([[0.0, 1.0]]), abs=0.01)


@pytest.mark.parametrize("dim", [1, 255, 256, 2048])
def test_the_largest_sums_are_exact(dim):
    ones = np.ones((2, dim), np.float32)
    assert Int8Product(ones)(np.stack([ones[0], -ones[0]])) == pytest.approx(dim * np.array([[1, 1], [-1, -1]]))


def test_a_processor_on_which_sums_overflow_is_refused(monkeypatch):
    part = int8_product._part  # made to add up to less, as sums do that saturate
    monkeypatch.setattr(int8_product, "_part", lambda levels, scale: part(levels // 2, scale))
    with pytest.raises(ModelError, match="sums of int8 products overflow on this processor"):
        Int8Product(np.ones((1, 4), np.float32))
