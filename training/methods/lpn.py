"""LPN: square rings around the image centre."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.model.config import MiftConfig
from training.model.head import BottleneckHead
from training.model.network import Network
from training.model.regions import pool

RINGS = 4
"""Best of the ablation in Wang et al. 2022, Table VI."""


def ring_labels(side: int, rings: int) -> Tensor:
    """Ring of each cell of a side x side map, 0 in the centre, [side^2] int64.

    All rings are equally wide but the outermost, which takes what is left over. Needs rings <= (side + 1) / 2.
    """
    steps = torch.arange(side)
    from_centre = torch.minimum(steps, steps.flip(0)).neg() + (side + 1) // 2 - 1
    distance = torch.maximum(from_centre[:, None], from_centre[None, :])
    width = (side + 1) // 2 // rings
    return (distance // width).clamp(max=rings - 1).flatten()


def pool_rings(features: Tensor, rings: int) -> Tensor:
    """Mean of each ring of a map [B, S, S, C], centre first: [B, rings, C].

    A map too small for the rings is enlarged first (bilinear), as the published code does.
    """
    side = features.shape[1]
    if (side + 1) // 2 < rings:
        side = 2 * rings
        planes = functional.interpolate(features.permute(0, 3, 1, 2), (side, side), mode="bilinear")
        features = planes.permute(0, 2, 3, 1)
    labels = ring_labels(side, rings).to(features.device)
    return pool(features.flatten(1, 2), labels.expand(len(features), -1), rings)


class LpnNetwork(Network):
    """One bottleneck per ring, no global branch.

    Wang, Zheng, Yan, Zhang, Sun, Zheng, Yang, "Each part matters: local patterns facilitate cross-view
    geo-localization", TCSVT 32(2), 2022, section III-B. Simplified: no dropout.
    """

    method = "lpn"

    def __init__(self, config: MiftConfig) -> None:
        super().__init__(config, RINGS)
        self.heads = nn.ModuleList(BottleneckHead(config.dims[3], config.head_dim) for _ in range(RINGS))

    def describe(self, stages: list[Tensor]) -> Tensor:
        """Branches [B, RINGS, head_dim] of the outputs of `features`, centre first."""
        parts = pool_rings(stages[-1], RINGS)
        return torch.stack([head(parts[:, index]) for index, head in enumerate(self.heads)], dim=1)
