"""One pre-norm transformer layer: attention of any kind, then a perceptron, each beside a shortcut."""

from __future__ import annotations

from torch import Tensor, nn

from training.model.drop_path import DropPath


class TransformerLayer(nn.Module):
    """`attention` maps tokens [B, S, S, dim] to the same shape; `drop_rate` is that of its stochastic depth."""

    def __init__(self, dim: int, attention: nn.Module, drop_rate: float = 0.0) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attention = attention
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))
        self.drop_path = DropPath(drop_rate)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens [B, S, S, dim] to the same shape."""
        x = x + self.drop_path(self.attention(self.norm1(x)))
        updated: Tensor = x + self.drop_path(self.mlp(self.norm2(x)))
        return updated
