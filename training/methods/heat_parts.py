"""FSRA and SGM: a global feature and parts cut by heat."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.model.config import MiftConfig
from training.model.head import BottleneckHead
from training.model.network import Network
from training.model.regions import heat, partition, pool


def equal_parts(heat_values: Tensor, parts: int) -> Tensor:
    """Label patches by rank of heat, hottest first, in parts of equal size; [B, P] to [B, P] int64.

    The last part takes what P / parts leaves over. Needs parts <= P.
    """
    order = heat_values.argsort(dim=1, descending=True, stable=True)
    size = heat_values.shape[1] // parts
    by_rank = (torch.arange(heat_values.shape[1], device=order.device) // size).clamp(max=parts - 1)
    return torch.zeros_like(order).scatter(1, order, by_rank.expand_as(order))


class HeatPartsNetwork(Network):
    """The mean of stage 4 and the means of its parts, one bottleneck each."""

    parts: int
    """Number of parts beside the global feature."""

    def __init__(self, config: MiftConfig) -> None:
        super().__init__(config, 1 + self.parts)
        self.heads = nn.ModuleList(BottleneckHead(config.dims[3], config.head_dim) for _ in range(1 + self.parts))

    def cut(self, heat_values: Tensor) -> Tensor:
        """Part of each patch, [B, P] int64 in 0 .. parts - 1, from its heat [B, P]."""
        raise NotImplementedError

    def describe(self, stages: list[Tensor]) -> Tensor:
        """Branches [B, 1 + parts, head_dim] of the outputs of `features`, the global one first."""
        patches = stages[-1].flatten(1, 2)
        regions = pool(patches, self.cut(heat(patches)), self.parts)
        features = [patches.mean(dim=1), *regions.unbind(1)]
        return torch.stack([head(feature) for head, feature in zip(self.heads, features, strict=True)], dim=1)


class FsraNetwork(HeatPartsNetwork):
    """Three parts of equally many patches.

    Dai, Hu, Zhuang, Zheng, "A transformer-based feature segmentation and region alignment method for UAV-view
    geo-localization", TCSVT 32(7), 2022, section III-B. Simplified: the global feature is the mean of the patches,
    since this trunk has no class token; no dropout.
    """

    method = "fsra"
    parts = 3

    def cut(self, heat_values: Tensor) -> Tensor:
        """Thirds of the patches, the hottest first."""
        return equal_parts(heat_values, self.parts)


class SgmNetwork(HeatPartsNetwork):
    """Foreground and background, cut where the sorted heat rises most.

    Zhuang, Chen, Dai, Lan, Cai, Zheng, "A semantic guidance and transformer-based matching method for UAVs and
    satellite images for UAV geo-localization", IEEE Access 10, 2022: each pixel is classified by its activation, and
    the same classes of both views are aligned. Simplified: the largest step of Eq. 2 is the border, and the trunk is
    this one instead of Swin; its code is not public.
    """

    method = "sgm"
    parts = 2

    def cut(self, heat_values: Tensor) -> Tensor:
        """Background (cold) 0, foreground 1."""
        return partition(heat_values, self.parts)
