"""Global-local range attention (GLRA): section 3.3 and Fig. 6 of the paper."""

from __future__ import annotations

import enum

import torch
from torch import Tensor, nn
from torch.nn import functional


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


def relative_index(size: int) -> Tensor:
    """Row of the position bias table for each pair of tokens of a group [size^2, size^2], int64."""
    axis = torch.arange(size)
    rows, columns = torch.meshgrid(axis, axis, indexing="ij")
    row = rows.reshape(-1, 1) - rows.reshape(1, -1) + size - 1
    column = columns.reshape(-1, 1) - columns.reshape(1, -1) + size - 1
    return row * (2 * size - 1) + column


class GroupAttention(nn.Module):
    """Multi-head self-attention of ViT inside each group, plus a learned bias per head and relative position."""

    relative: Tensor

    def __init__(self, dim: int, heads: int, size: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.projection = nn.Linear(dim, dim)
        self.bias_table = nn.Parameter(torch.empty(heads, (2 * size - 1) ** 2))
        self.register_buffer("relative", relative_index(size), persistent=False)
        nn.init.trunc_normal_(self.bias_table, std=0.02)

    def position_bias(self) -> Tensor:
        """[heads, N, N], added to the attention logits."""
        return self.bias_table[:, self.relative]

    def forward(self, x: Tensor) -> Tensor:
        """Groups [G, N, dim] to the same shape."""
        query, key, value = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in self.qkv(x).chunk(3, dim=2)
        )
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=self.position_bias().unsqueeze(0))
        projected: Tensor = self.projection(mixed.transpose(1, 2).flatten(2))
        return projected


class RangeAttention(nn.Module):
    """One pre-norm transformer layer whose attention stays inside groups of one range."""

    def __init__(self, dim: int, heads: int, size: int, attention_range: Range) -> None:
        super().__init__()
        self.size = size
        self.range = attention_range
        self.norm1 = nn.LayerNorm(dim)
        self.attention = GroupAttention(dim, heads, size)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, x: Tensor) -> Tensor:
        """Tokens [B, S, S, dim] to the same shape."""
        attended = self.attention(self.range.group(self.norm1(x), self.size))
        x = x + self.range.ungroup(attended, self.size, x.shape[1])
        updated: Tensor = x + self.mlp(self.norm2(x))
        return updated


class GlraBlock(nn.Sequential):
    """The transformer block of Fig. 6c: local range attention, then global range attention."""

    def __init__(self, dim: int, heads: int, size: int) -> None:
        super().__init__(RangeAttention(dim, heads, size, Range.LOCAL), RangeAttention(dim, heads, size, Range.GLOBAL))
