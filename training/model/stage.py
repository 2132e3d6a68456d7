"""One stage of the network: a multi-scale embedding layer, then attention layers on its grid."""

from __future__ import annotations

from torch import nn

from training.model.config import STAGE_KERNELS, STAGE_STRIDES, MiftConfig
from training.model.glra import GlraBlock
from training.model.mef import MultiScaleEmbedding


def make_stage(config: MiftConfig, index: int) -> nn.Sequential:
    """MEF and its GLRA blocks; [B, H, W, C] to [B, H/s, W/s, dims[index]]."""
    in_channels = config.dims[index - 1] if index else 3
    dim, heads, size = config.dims[index], config.heads[index], min(config.group, config.sides[index])
    embedding = MultiScaleEmbedding(in_channels, dim, STAGE_KERNELS[index], STAGE_STRIDES[index], norm_first=index > 0)
    return nn.Sequential(embedding, *(GlraBlock(dim, heads, size) for _ in range(config.depths[index] // 2)))
