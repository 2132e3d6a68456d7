"""The whole network: four stages of MEF and GLRA, MFF, the region branch and the heads (Fig. 3 of the paper)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mift_ros.errors import TrainingError
from training.model.config import VARIANTS, MiftConfig
from training.model.head import BottleneckHead
from training.model.mff import LastStage, MultiScaleFusion
from training.model.network import Network
from training.model.regions import cell_features, region_features

__all__ = ["VARIANTS", "Mift", "MiftConfig", "build"]


class Mift(Network):
    """Branches: the global feature of MFF, then the regions of stage 4 in ascending heat; or MFF's cells of a grid."""

    method = "mift"

    def __init__(self, config: MiftConfig) -> None:
        super().__init__(config, config.branches)
        self.fusion = MultiScaleFusion(config.dims, config.fusion_widths) if config.fusion else LastStage(config.dims)
        if config.grid:
            self.grid_heads = _heads(config.branches, self.fusion.width, config.head_dim)
        else:
            self.global_head = BottleneckHead(self.fusion.width, config.head_dim)
            self.region_heads = _heads(config.region_branches, config.dims[3], config.head_dim)

    def describe(self, stages: list[Tensor]) -> Tensor:
        """Branches [B, config.branches, head_dim] of the outputs of `features`."""
        fused = self.fusion(stages)
        if self.config.grid:
            cells = cell_features(fused, self.config.grid)
            return torch.stack([head(cells[:, index]) for index, head in enumerate(self.grid_heads)], dim=1)
        whole = self.global_head(fused.mean(dim=(1, 2)))
        regions = region_features(stages[-1].flatten(1, 2), self.config.regions)
        parts = [head(regions[:, index]) for index, head in enumerate(self.region_heads)]
        return torch.stack([whole, *parts], dim=1)


def _heads(count: int, in_features: int, out_features: int) -> nn.ModuleList:
    return nn.ModuleList(BottleneckHead(in_features, out_features) for _ in range(count))


def build(variant: str) -> Mift:
    """An untrained network of a named variant.

    Raises:
        TrainingError: no variant has this name.
    """
    if variant not in VARIANTS:
        raise TrainingError(f"there is no model variant {variant!r}; choose one of {', '.join(VARIANTS)}")
    return Mift(VARIANTS[variant])
