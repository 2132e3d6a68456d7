"""Attention inside windows that every other layer shifts by half: "Swin" of Tables 6 and 8.

Liu et al., Swin Transformer, ICCV 2021, section 3.2.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.model.attention import SelfAttention
from training.model.glra import Range
from training.model.position import RelativeBias

APART = -100.0
"""Added to the logits of tokens that only the shift made neighbours; finite, so that FP16 engines get no NaN."""


def shift_mask(side: int, size: int, shift: int) -> Tensor:
    """[(side/size)^2, 1, size^2, size^2], APART between tokens of a shifted window that are far apart on the map."""
    seen = torch.arange(side)
    strip = (seen >= side - size).long() + (seen >= side - shift).long()
    parts = (3 * strip.reshape(-1, 1) + strip).reshape(1, side, side, 1)
    windows = Range.LOCAL.group(parts, size).squeeze(2)
    return APART * (windows.unsqueeze(1) != windows.unsqueeze(2)).float().unsqueeze(1)


class ShiftedWindowAttention(nn.Module):
    """Self-attention inside windows of a map that is rolled by `shift` tokens, with a bias per relative position."""

    mask: Tensor

    def __init__(self, dim: int, heads: int, size: int, side: int, shift: int) -> None:
        super().__init__()
        self.size = size
        self.shift = shift
        self.attention = SelfAttention(dim, heads)
        self.bias = RelativeBias(heads, size)
        self.register_buffer("mask", shift_mask(side, size, shift), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens [B, S, S, dim] to the same shape."""
        if not self.shift:
            return self.attend(x, self.bias())
        rolled = x.roll((-self.shift, -self.shift), dims=(1, 2))
        bias = (self.bias() + self.mask).repeat(x.shape[0], 1, 1, 1)
        return self.attend(rolled, bias).roll((self.shift, self.shift), dims=(1, 2))

    def attend(self, x: Tensor, bias: Tensor) -> Tensor:
        """Attention inside windows of the map as it lies; bias [1 or B * windows, heads, size^2, size^2]."""
        windows = Range.LOCAL.group(x, self.size)
        return Range.LOCAL.ungroup(self.attention(windows, bias), self.size, x.shape[1])
