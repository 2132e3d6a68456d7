"""Stochastic depth: Huang et al., Deep Networks with Stochastic Depth, ECCV 2016."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class DropPath(nn.Module):
    """In training, leave out a residual branch of an image with probability `rate`; scale those kept by 1 / (1 - rate).

    The draw comes from torch's default generator of the device.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Branch [B, ...] to the same shape."""
        if not self.training or self.rate == 0:
            return x
        kept = torch.rand((x.shape[0],) + (1,) * (x.ndim - 1), device=x.device) >= self.rate
        return x * (kept / (1 - self.rate)).to(x.dtype)


def drop_rates(rate: float, layers: int) -> list[float]:
    """Rates that grow linearly over the depth, from 0 at the first layer to `rate` at the last."""
    return [rate * index / max(layers - 1, 1) for index in range(layers)]
