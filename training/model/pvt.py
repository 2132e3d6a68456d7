"""Attention to a coarser copy of the map: "PVT" of Tables 6 and 8.

Wang et al., Pyramid Vision Transformer, ICCV 2021, section 3.3 (spatial-reduction attention).
"""

from __future__ import annotations

from torch import Tensor, nn

from training.model.attention import attend


class SpatialReductionAttention(nn.Module):
    """Every token attends to cells of ratio x ratio tokens, made by a convolution and a LayerNorm."""

    def __init__(self, dim: int, heads: int, ratio: int) -> None:
        super().__init__()
        self.heads = heads
        self.ratio = ratio
        self.query = nn.Linear(dim, dim)
        self.key_value = nn.Linear(dim, 2 * dim)
        self.projection = nn.Linear(dim, dim)
        if ratio > 1:
            self.reduction = nn.Conv2d(dim, dim, ratio, stride=ratio)
            self.norm = nn.LayerNorm(dim)

    def reduce(self, x: Tensor) -> Tensor:
        """Tokens [B, S, S, dim] to cells [B, S/ratio, S/ratio, dim]; themselves where the ratio is 1."""
        if self.ratio == 1:
            return x
        normalised: Tensor = self.norm(self.reduction(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))
        return normalised

    def forward(self, x: Tensor) -> Tensor:
        """Tokens [B, S, S, dim] to the same shape."""
        key, value = self.key_value(self.reduce(x).flatten(1, 2)).chunk(2, dim=2)
        mixed = attend(self.query(x.flatten(1, 2)), key, value, self.heads)
        projected: Tensor = self.projection(mixed).unflatten(1, (x.shape[1], x.shape[2]))
        return projected
