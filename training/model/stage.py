"""One stage of the network: a multi-scale embedding layer, then attention layers on its grid."""

from __future__ import annotations

from torch import nn

from training.model.config import STAGE_STRIDES, AttentionKind, MiftConfig
from training.model.drop_path import drop_rates
from training.model.glra import Range, RangeAttention
from training.model.layer import TransformerLayer
from training.model.mef import MultiScaleEmbedding
from training.model.mha import MapAttention
from training.model.position import LearnedPosition
from training.model.pvt import SpatialReductionAttention
from training.model.swin import ShiftedWindowAttention


def make_attention(config: MiftConfig, index: int, layer: int) -> nn.Module:
    """Attention of one layer of a stage; odd layers are global (GLRA) or shifted (Swin).

    PVT reduces each map to group x group cells: ratios 8, 4, 2, 1 in mift_s, which are those of its paper.
    """
    dim, heads, side = config.dims[index], config.heads[index], config.sides[index]
    size, odd = min(config.group, side), layer % 2 == 1
    if config.attention in (AttentionKind.GLRA, AttentionKind.LOCAL):
        reaches_out = odd and config.attention is AttentionKind.GLRA
        return RangeAttention(dim, heads, size, Range.GLOBAL if reaches_out else Range.LOCAL)
    if config.attention is AttentionKind.SWIN:
        return ShiftedWindowAttention(dim, heads, size, side, size // 2 if odd and size < side else 0)
    if config.attention is AttentionKind.PVT:
        return SpatialReductionAttention(dim, heads, side // size)
    return MapAttention(dim, heads)


def make_stage(config: MiftConfig, index: int) -> nn.Sequential:
    """MEF and its attention layers; [B, H, W, C] to [B, H/s, W/s, dims[index]]."""
    in_channels = config.dims[index - 1] if index else 3
    dim, before = config.dims[index], sum(config.depths[:index])
    embedding = MultiScaleEmbedding(in_channels, dim, config.kernels[index], STAGE_STRIDES[index], norm_first=index > 0)
    position = [LearnedPosition(dim, config.sides[index])] if config.attention.needs_position else []
    rates = drop_rates(config.drop_path, sum(config.depths))[before : before + config.depths[index]]
    layers = (TransformerLayer(dim, make_attention(config, index, k), rate) for k, rate in enumerate(rates))
    return nn.Sequential(embedding, *position, *layers)
