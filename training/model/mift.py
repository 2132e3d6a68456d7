"""The whole network: four stages of MEF and GLRA, MFF, the region branch and the heads (Fig. 3 of the paper)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from mift_ros.errors import TrainingError
from training.model.config import STAGE_KERNELS, STAGE_STRIDES, VARIANTS, MiftConfig
from training.model.glra import GlraBlock
from training.model.head import BottleneckHead
from training.model.mef import MultiScaleEmbedding
from training.model.mff import MultiScaleFusion
from training.model.regions import region_features

__all__ = ["VARIANTS", "Mift", "MiftConfig", "build"]


def make_stage(config: MiftConfig, index: int) -> nn.Sequential:
    """MEF and its GLRA blocks; [B, H, W, C] to [B, H/s, W/s, dims[index]]."""
    in_channels = config.dims[index - 1] if index else 3
    dim, heads, size = config.dims[index], config.heads[index], min(config.group, config.sides[index])
    embedding = MultiScaleEmbedding(in_channels, dim, STAGE_KERNELS[index], STAGE_STRIDES[index])
    return nn.Sequential(embedding, *(GlraBlock(dim, heads, size) for _ in range(config.depths[index] // 2)))


class Mift(nn.Module):
    """Images in, one embedding per image out; images are normalised RGB [B, 3, S, S], S = config.input_size."""

    def __init__(self, config: MiftConfig) -> None:
        super().__init__()
        self.config = config
        self.stages = nn.ModuleList(make_stage(config, index) for index in range(4))
        self.fusion = MultiScaleFusion(config.dims, config.fusion_widths)
        self.global_head = BottleneckHead(sum(config.fusion_widths), config.head_dim)
        self.region_heads = nn.ModuleList(
            BottleneckHead(config.dims[3], config.head_dim) for _ in range(config.regions)
        )
        self.stages.apply(_init_transformer)

    def features(self, images: Tensor) -> list[Tensor]:
        """Outputs of stages 1 to 4, each [B, S_i, S_i, dim_i]."""
        outputs = []
        x = images.permute(0, 2, 3, 1)
        for stage in self.stages:
            x = stage(x)
            outputs.append(x)
        return outputs

    def branches(self, images: Tensor) -> Tensor:
        """[B, 1 + regions, head_dim]: the global feature, then the regions in ascending heat; not L2-normalised."""
        return self.describe(self.features(images))

    def describe(self, stages: list[Tensor]) -> Tensor:
        """Branches of the outputs of `features`; only this part mixes images, through batch normalisation."""
        whole = self.global_head(self.fusion(stages).mean(dim=(1, 2)))
        regions = region_features(stages[-1].flatten(1, 2), self.config.regions)
        parts = [head(regions[:, index]) for index, head in enumerate(self.region_heads)]
        return torch.stack([whole, *parts], dim=1)

    def forward(self, images: Tensor) -> Tensor:
        """[B, embedding_dim]: each branch L2-normalised, concatenated, and normalised again."""
        branches = functional.normalize(self.branches(images), dim=2)
        return functional.normalize(branches.flatten(1), dim=1)


def _init_transformer(module: nn.Module) -> None:
    """Truncated normal weights of 0.02, zero biases: the usual start of a transformer trained from scratch."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)


def build(variant: str) -> Mift:
    """An untrained network of a named variant.

    Raises:
        TrainingError: no variant has this name.
    """
    if variant not in VARIANTS:
        raise TrainingError(f"there is no model variant {variant!r}; choose one of {', '.join(VARIANTS)}")
    return Mift(VARIANTS[variant])
