"""Multi-head self-attention of ViT (section 3.3 of the paper), the core of every kind of attention here."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


def attend(query: Tensor, key: Tensor, value: Tensor, heads: int, bias: Tensor | None = None) -> Tensor:
    """Softmax of scaled products plus bias, over values; [G, N, C], [G, M, C] twice to [G, N, C].

    bias: [1 or G, heads, N, M].
    """
    query, key, value = (_split(part, heads) for part in (query, key, value))
    return functional.scaled_dot_product_attention(query, key, value, attn_mask=bias).transpose(1, 2).flatten(2)


def _split(x: Tensor, heads: int) -> Tensor:
    """[G, N, C] to [G, heads, N, C / heads]."""
    return x.reshape(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)


class SelfAttention(nn.Module):
    """Attention among the tokens of a sequence."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.projection = nn.Linear(dim, dim)

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """Sequences [G, N, dim] to the same shape; bias [1 or G, heads, N, N] is added to the logits."""
        query, key, value = self.qkv(x).chunk(3, dim=2)
        projected: Tensor = self.projection(attend(query, key, value, self.heads, bias))
        return projected
