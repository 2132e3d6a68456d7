"""PAAN: channel attention, then a global feature and square rings."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.methods.lpn import RINGS, pool_rings
from training.model.config import MiftConfig
from training.model.head import BottleneckHead
from training.model.network import Network

REDUCTION = 8
"""The attention's bottleneck has this many times fewer channels than the map."""


class ChannelAttention(nn.Module):
    """Weigh channels by what the whole map shows; Hu, Shen, Sun, "Squeeze-and-excitation networks", CVPR 2018."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        hidden = max(dim // REDUCTION, 4)
        self.weigh = nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, dim), nn.Sigmoid())

    def forward(self, features: Tensor) -> Tensor:
        """[B, S, S, C] to the same shape."""
        weights: Tensor = self.weigh(features.mean(dim=(1, 2)))
        return features * weights[:, None, None]


class PaanNetwork(Network):
    """One bottleneck for the whole attended map and one for each of its rings.

    Bui, Kubo, Sato, "A part-aware attention neural network for cross-view geo-localization between UAV and satellite",
    J. Robotics, Networking and Artificial Life 9(3), 2022: a channel-based attention layer together with part-based
    features. Its code is not public; squeeze-and-excitation and LPN's rings stand for its layers.
    """

    method = "paan"

    def __init__(self, config: MiftConfig) -> None:
        super().__init__(config, 1 + RINGS)
        self.attention = ChannelAttention(config.dims[3])
        self.heads = nn.ModuleList(BottleneckHead(config.dims[3], config.head_dim) for _ in range(1 + RINGS))

    def describe(self, stages: list[Tensor]) -> Tensor:
        """Branches [B, 1 + RINGS, head_dim] of the outputs of `features`: global, then rings from the centre."""
        attended = self.attention(stages[-1])
        features = [attended.mean(dim=(1, 2)), *pool_rings(attended, RINGS).unbind(1)]
        return torch.stack([head(feature) for head, feature in zip(self.heads, features, strict=True)], dim=1)
