"""Bottleneck head: one per branch, the "classifier layer" of section 3.4 without its classes."""

from __future__ import annotations

from torch import nn


class BottleneckHead(nn.Sequential):
    """Linear reduction and batch normalisation; features [B, in_features] to [B, out_features], not L2-normalised.

    The linear layer is initialised after Kaiming (section 4.2).
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        linear = nn.Linear(in_features, out_features)
        nn.init.kaiming_normal_(linear.weight)
        nn.init.zeros_(linear.bias)
        super().__init__(linear, nn.BatchNorm1d(out_features))
