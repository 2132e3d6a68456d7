"""Global-local range attention (GLRA): section 3.3 and Fig. 6 of the paper."""

from __future__ import annotations

import enum

from torch import Tensor, nn

from training.model.attention import SelfAttention
from training.model.position import RelativeBias


class Range(enum.Enum):
    """Which tokens attend to each other."""

    LOCAL = "local"
    """A window of adjacent tokens, Fig. 6a."""
    GLOBAL = "global"
    """Tokens at a fixed stride over the whole map, Fig. 6b."""

    def group(self, x: Tensor, size: int) -> Tensor:
        """Map [B, S, S, C] to groups [B * (S/size)^2, size^2, C]."""
        side, channels = x.shape[1], x.shape[3]
        count = side // size
        if self is Range.LOCAL:
            windows = x.reshape(-1, count, size, count, size, channels).permute(0, 1, 3, 2, 4, 5)
        else:
            windows = x.reshape(-1, size, count, size, count, channels).permute(0, 2, 4, 1, 3, 5)
        return windows.reshape(-1, size * size, channels)

    def ungroup(self, groups: Tensor, size: int, side: int) -> Tensor:
        """The inverse of `group`: [B * (side/size)^2, size^2, C] to [B, side, side, C]."""
        channels = groups.shape[2]
        count = side // size
        windows = groups.reshape(-1, count, count, size, size, channels)
        order = (0, 1, 3, 2, 4, 5) if self is Range.LOCAL else (0, 3, 1, 4, 2, 5)
        return windows.permute(*order).reshape(-1, side, side, channels)


class RangeAttention(nn.Module):
    """Self-attention inside each group of one range, with a bias per relative position."""

    def __init__(self, dim: int, heads: int, size: int, attention_range: Range) -> None:
        super().__init__()
        self.size = size
        self.range = attention_range
        self.attention = SelfAttention(dim, heads)
        self.bias = RelativeBias(heads, size)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens [B, S, S, dim] to the same shape."""
        groups = self.range.group(x, self.size)
        return self.range.ungroup(self.attention(groups, self.bias()), self.size, x.shape[1])
