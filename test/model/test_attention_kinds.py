"""The attention kinds of Tables 6 and 8, each in the same network."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="the network needs PyTorch")

from training.model.config import VARIANTS, AttentionKind, MiftConfig  # noqa: E402
from training.model.glra import Range, RangeAttention  # noqa: E402
from training.model.mha import MapAttention  # noqa: E402
from training.model.mift import Mift  # noqa: E402
from training.model.pvt import SpatialReductionAttention  # noqa: E402
from training.model.stage import make_attention  # noqa: E402
from training.model.swin import APART, ShiftedWindowAttention, shift_mask  # noqa: E402

TINY = MiftConfig("tiny", 64, (16, 16, 16, 16), (2, 2, 2, 2), (1, 1, 2, 2), 4, (4, 4, 8, 8), 8)
KINDS = list(AttentionKind)


def hears(attention: torch.nn.Module, side: int, dim: int = 8) -> list[list[bool]]:
    """Which tokens of the map the one at the upper left corner changes."""
    tokens = torch.randn(1, side, side, dim)
    changed = tokens.clone()
    changed[0, 0, 0] += torch.randn(dim)
    with torch.no_grad():
        moved: list[list[bool]] = (attention(tokens) != attention(changed)).any(dim=3)[0].tolist()
    return moved


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_each_kind_embeds_a_batch_as_it_embeds_single_images(kind):
    torch.manual_seed(0)
    network = Mift(replace(TINY, attention=kind)).eval()
    images = torch.randn(3, 3, 64, 64)
    single = torch.cat([network(image[None]) for image in images])
    torch.testing.assert_close(network(images), single, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_of_each_kind_learns(kind):
    torch.manual_seed(0)
    network = Mift(replace(TINY, attention=kind, drop_path=0.1))
    network(torch.randn(4, 3, 64, 64)).square().sum().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_layers_of_each_stage_of_each_variant_follow_their_kind(variant):
    config = VARIANTS[variant]
    for index, side in enumerate(config.sides):
        local, glob = (make_attention(config, index, layer) for layer in (0, 1))
        assert (local.range, glob.range) == (Range.LOCAL, Range.GLOBAL)
        assert make_attention(replace(config, attention=AttentionKind.LOCAL), index, 1).range is Range.LOCAL
        swin = [make_attention(replace(config, attention=AttentionKind.SWIN), index, layer) for layer in (0, 1)]
        assert [layer.shift for layer in swin] == [0, config.group // 2 if side > config.group else 0]


def test_reduction_ratios_of_mift_s_are_those_of_pvt():
    config = replace(VARIANTS["mift_s"], attention=AttentionKind.PVT)
    assert [make_attention(config, index, 0).ratio for index in range(4)] == [8, 4, 2, 1]


@pytest.mark.parametrize("attention", [MapAttention(8, 2), SpatialReductionAttention(8, 2, 2)])
def test_mha_and_pvt_let_every_token_hear_every_other(attention):
    torch.manual_seed(0)
    assert all(all(row) for row in hears(attention, 4))


def test_mha_is_grouped_attention_with_one_group_and_no_bias():
    torch.manual_seed(0)
    grouped, whole = RangeAttention(8, 2, 4, Range.LOCAL), MapAttention(8, 2)
    torch.nn.init.zeros_(grouped.bias.table)
    whole.attention.load_state_dict(grouped.attention.state_dict())
    tokens = torch.randn(2, 4, 4, 8)
    torch.testing.assert_close(whole(tokens), grouped(tokens))


def test_pvt_without_reduction_is_mha():
    torch.manual_seed(0)
    whole, reduced = MapAttention(8, 2), SpatialReductionAttention(8, 2, 1)
    state = whole.attention.state_dict()
    parts = {"query": slice(0, 8), "key_value": slice(8, 24)}
    for name, rows in parts.items():
        reduced.get_submodule(name).load_state_dict({k: state[f"qkv.{k}"][rows] for k in ("weight", "bias")})
    reduced.projection.load_state_dict(whole.attention.projection.state_dict())
    tokens = torch.randn(2, 4, 4, 8)
    torch.testing.assert_close(reduced(tokens), whole(tokens))


def test_pvt_attends_to_the_cells_of_its_reduction():
    """A mean over 2 x 2 tokens in place of the learned convolution: who swaps inside a cell is not told apart."""
    torch.manual_seed(0)
    attention = SpatialReductionAttention(8, 2, 2)
    attention.reduction.weight.data = (torch.eye(8) / 4).reshape(8, 8, 1, 1).expand(8, 8, 2, 2).clone()
    tokens = torch.randn(1, 4, 4, 8)
    swapped = tokens.clone()
    swapped[0, 0, :2] = tokens[0, 0, [1, 0]]
    torch.testing.assert_close(attention(tokens)[0, 2:], attention(swapped)[0, 2:])


def test_swin_without_shift_is_local_attention():
    torch.manual_seed(0)
    local, swin = RangeAttention(8, 2, 2, Range.LOCAL), ShiftedWindowAttention(8, 2, 2, 4, 0)
    swin.load_state_dict(local.state_dict())
    tokens = torch.randn(2, 4, 4, 8)
    assert torch.equal(swin(tokens), local(tokens))


def test_a_shifted_window_reaches_over_the_border_of_two_windows_and_not_over_the_edge_of_the_map():
    """Windows of 2 tokens, shifted by 1: the corner is alone; the token at (1, 1) has (1, 2), (2, 1), (2, 2)."""
    torch.manual_seed(0)
    swin = ShiftedWindowAttention(8, 2, 2, 4, 1)
    assert torch.tensor(hears(swin, 4)).nonzero().tolist() == [[0, 0]]
    tokens = torch.randn(1, 4, 4, 8)
    changed = tokens.clone()
    changed[0, 1, 1] += 1
    moved = (swin(tokens) != swin(changed)).any(dim=3)[0]
    assert moved.nonzero().tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]


def test_the_mask_of_shifted_windows_by_hand():
    """Four windows of a 4 x 4 map shifted by 1: whole; split left-right; split top-bottom; four single tokens."""
    apart = shift_mask(4, 2, 1)[:, 0] == APART
    assert not apart[0].any()
    left, top = torch.tensor([0, 1, 0, 1]), torch.tensor([0, 0, 1, 1])
    assert torch.equal(apart[1], left[:, None] != left)
    assert torch.equal(apart[2], top[:, None] != top)
    assert torch.equal(apart[3], ~torch.eye(4, dtype=torch.bool))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_each_kind_makes_a_network_of_each_variant(variant, kind):
    """On the meta device: shapes without numbers."""
    config = replace(VARIANTS[variant], attention=kind)
    with torch.device("meta"):
        embedding = Mift(config).eval()(torch.empty(2, 3, config.input_size, config.input_size))
    assert embedding.shape == (2, config.embedding_dim)
