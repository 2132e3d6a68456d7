"""Global-local range attention, section 3.3 and Fig. 6."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the network needs PyTorch")

from training.model.glra import Range, RangeAttention  # noqa: E402
from training.model.position import relative_index  # noqa: E402

MAP = torch.arange(16).reshape(1, 4, 4, 1)
"""The 4 x 4 map of Fig. 6, its tokens numbered row by row."""


def test_local_groups_are_windows_of_adjacent_tokens():
    groups = Range.LOCAL.group(MAP, 2).squeeze(2).tolist()
    assert groups == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]


def test_global_groups_sample_rows_and_columns_at_a_fixed_stride():
    groups = Range.GLOBAL.group(MAP, 2).squeeze(2).tolist()
    assert groups == [[0, 2, 8, 10], [1, 3, 9, 11], [4, 6, 12, 14], [5, 7, 13, 15]]


@given(st.sampled_from(list(Range)), st.integers(1, 3), st.integers(1, 4), st.integers(1, 4))
def test_ungrouping_restores_the_map(attention_range, batch, size, count):
    tokens = torch.arange(batch * (size * count) ** 2 * 2).reshape(batch, size * count, size * count, 2)
    groups = attention_range.group(tokens, size)
    assert groups.shape == (batch * count**2, size**2, 2)
    assert torch.equal(attention_range.ungroup(groups, size, size * count), tokens)


@pytest.mark.parametrize("attention_range", list(Range))
def test_a_token_is_heard_by_its_own_group_only(attention_range):
    torch.manual_seed(0)
    layer = RangeAttention(8, 2, 2, attention_range)
    tokens = torch.randn(1, 4, 4, 8)
    changed = tokens.clone()
    changed[0, 0, 0] += torch.randn(8)
    with torch.no_grad():
        moved = (layer(tokens) != layer(changed)).any(dim=3)
    group = attention_range.group(MAP, 2)[0].flatten()
    assert moved.flatten().nonzero().flatten().tolist() == group.tolist()


def test_both_ranges_in_turn_let_every_token_hear_every_other():
    torch.manual_seed(0)
    layers = torch.nn.Sequential(RangeAttention(8, 2, 2, Range.LOCAL), RangeAttention(8, 2, 2, Range.GLOBAL))
    tokens = torch.randn(1, 4, 4, 8)
    changed = tokens.clone()
    changed[0, 0, 0] += torch.randn(8)
    with torch.no_grad():
        assert (layers(tokens) != layers(changed)).any(dim=3).all()


def test_position_bias_depends_on_the_offset_between_two_tokens_only():
    index = relative_index(2).tolist()
    assert index == [[4, 3, 1, 0], [5, 4, 2, 1], [7, 6, 4, 3], [8, 7, 5, 4]]


def test_attention_is_softmax_of_scaled_products_plus_bias():
    torch.manual_seed(0)
    layer = RangeAttention(8, 2, 2, Range.LOCAL).double()
    tokens = torch.randn(3, 2, 2, 8, dtype=torch.float64)
    query, key, value = layer.attention.qkv(tokens).reshape(3, 4, 3, 2, 4).permute(2, 0, 3, 1, 4)
    logits = torch.einsum("ghnd,ghmd->ghnm", query, key) / 4**0.5 + layer.bias.table[:, relative_index(2)]
    mixed = torch.einsum("ghnm,ghmd->gnhd", logits.softmax(dim=3), value).reshape(3, 2, 2, 8)
    torch.testing.assert_close(layer(tokens), layer.attention.projection(mixed))
