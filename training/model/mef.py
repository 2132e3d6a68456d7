"""Multi-scale embedding fusion (MEF): section 3.2 and Fig. 4 of the paper."""

from __future__ import annotations

import torch
from torch import Tensor, nn

CHANNEL_UNIT = 4
"""Projection widths are multiples of this, so that vector units of CPU and GPU are filled."""


def projection_dims(dim: int, kernels: tuple[int, ...]) -> tuple[int, ...]:
    """Share `dim` channels among `kernels`, inversely proportional to the kernel size.

    Widths are rounded to multiples of CHANNEL_UNIT (at least one unit each) and sum to `dim`; the smallest kernel takes
    what the rounding leaves over. 96 over kernels 4, 8, 16, 32 is 52, 24, 12, 8.
    """
    inverse = [1 / kernel for kernel in kernels]
    units = [max(1, round(dim * share / sum(inverse) / CHANNEL_UNIT)) for share in inverse]
    widths = [CHANNEL_UNIT * count for count in units]
    smallest = kernels.index(min(kernels))
    widths[smallest] += dim - sum(widths)
    return tuple(widths)


class MultiScaleEmbedding(nn.Module):
    """Convolve with several kernel sizes at one stride, concatenate, normalise.

    Every kernel is padded so that its patches share their centres: kernel k at stride s is padded by (k - s) / 2 and
    gives the same H/s x W/s grid as any other.
    """

    def __init__(self, in_channels: int, dim: int, kernels: tuple[int, ...], stride: int) -> None:
        super().__init__()
        self.projections = nn.ModuleList(
            nn.Conv2d(in_channels, width, kernel, stride, padding=(kernel - stride) // 2)
            for kernel, width in zip(kernels, projection_dims(dim, kernels))
        )
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map or image [B, H, W, C_in] to embeddings [B, H/s, W/s, dim]."""
        planes = x.permute(0, 3, 1, 2)
        embeddings = torch.cat([projection(planes) for projection in self.projections], dim=1)
        normalised: Tensor = self.norm(embeddings.permute(0, 2, 3, 1))
        return normalised
