"""Where a token is: a bias per offset inside a group, or a learned vector per place on the map."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


def relative_index(size: int) -> Tensor:
    """Row of the position bias table for each pair of tokens of a group [size^2, size^2], int64."""
    axis = torch.arange(size)
    rows, columns = torch.meshgrid(axis, axis, indexing="ij")
    row = rows.reshape(-1, 1) - rows.reshape(1, -1) + size - 1
    column = columns.reshape(-1, 1) - columns.reshape(1, -1) + size - 1
    return row * (2 * size - 1) + column


class RelativeBias(nn.Module):
    """A learned bias per head and offset between two tokens of a group of size x size."""

    relative: Tensor

    def __init__(self, heads: int, size: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.empty(heads, (2 * size - 1) ** 2))
        self.register_buffer("relative", relative_index(size), persistent=False)
        nn.init.trunc_normal_(self.table, std=0.02)

    def forward(self) -> Tensor:
        """[1, heads, size^2, size^2], to be added to attention logits."""
        return self.table[:, self.relative].unsqueeze(0)


def stretched_table(table: Tensor, entries: int) -> Tensor:
    """A table of RelativeBias [heads, (2 a - 1)^2] for groups of another size, [heads, entries = (2 b - 1)^2].

    Interpolated bicubically, as Swin's are when it goes on with another window (Liu et al., ICCV 2021, section 3.3).
    """
    before, after = math.isqrt(table.shape[1]), math.isqrt(entries)
    grid = table.reshape(1, -1, before, before)
    return functional.interpolate(grid, (after, after), mode="bicubic", align_corners=True).reshape(-1, entries)


class LearnedPosition(nn.Module):
    """A learned vector added to each token of the map, as ViT and PVT have it."""

    def __init__(self, dim: int, side: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.empty(side, side, dim))
        nn.init.trunc_normal_(self.table, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens [B, side, side, dim] to the same shape."""
        return x + self.table
