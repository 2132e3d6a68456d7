"""Attention of every token to every other of the map: "MHA" of Tables 6 and 8.

Vaswani et al., Attention Is All You Need, NeurIPS 2017; over image patches Dosovitskiy et al., ICLR 2021.
"""

from __future__ import annotations

from torch import Tensor, nn

from training.model.attention import SelfAttention


class MapAttention(nn.Module):
    """Self-attention over the whole map; O(S^4) for a map of S x S tokens."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.attention = SelfAttention(dim, heads)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens [B, S, S, dim] to the same shape."""
        mixed: Tensor = self.attention(x.flatten(1, 2)).unflatten(1, (x.shape[1], x.shape[2]))
        return mixed
