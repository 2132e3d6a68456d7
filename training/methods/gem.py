"""Instance loss with generalised-mean pooling."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.methods.instance import InstanceNetwork
from training.model.config import MiftConfig

INITIAL_POWER = 3.0
SMALLEST = 1e-6
"""Features are clamped to this from below, so that any power of them has a gradient."""


class GemPool(nn.Module):
    """Mean of powers with a learned exponent: 1 gives the mean, infinity the maximum.

    Radenovic, Tolias, Chum, "Fine-tuning CNN image retrieval with no human annotation", TPAMI 41(7), 2019, Eq. 3, one
    exponent for all channels. Negative features count as zero: the CNN it was made for has none.
    """

    def __init__(self) -> None:
        super().__init__()
        self.power = nn.Parameter(torch.tensor(INITIAL_POWER))

    def forward(self, patches: Tensor) -> Tensor:
        """[B, P, C] to [B, C]."""
        clamped = patches.float().clamp(min=SMALLEST)
        peak = clamped.amax(dim=1, keepdim=True).detach()  # powers of values above 1 leave the range of float32
        mean: Tensor = (clamped / peak).pow(self.power).mean(dim=1).pow(1.0 / self.power) * peak.squeeze(1)
        return mean


class GemNetwork(InstanceNetwork):
    """The instance-loss network with GeM instead of average pooling (row 3 of Table 3)."""

    method = "gem"

    def __init__(self, config: MiftConfig) -> None:
        super().__init__(config)
        self.gem = GemPool()

    def pool(self, patches: Tensor) -> Tensor:
        """Stage 4 patches [B, P, C] to one feature [B, C]."""
        pooled: Tensor = self.gem(patches)
        return pooled
