"""Sizes of the network and the named variants."""

from __future__ import annotations

from dataclasses import dataclass

STAGE_STRIDES = (4, 2, 2, 2)
STAGE_KERNELS = ((4, 8, 16, 32), (2, 4), (2, 4), (2, 4))
"""Convolution kernels of the four embedding layers: row 3 of Table 5, the best of the ablation."""


@dataclass(frozen=True)
class MiftConfig:
    """Everything that fixes the network; tuples run over stages 1 to 4.

    `depths` counts attention layers, alternately local and global, hence even. `group` is the side of an attention
    group in tokens, at most the stage's own side. `fusion_widths` are the channels after MFF's 1x1 reductions.
    `head_dim` is the width of one branch; the embedding joins the global branch and `regions` region branches.
    """

    variant: str
    input_size: int
    dims: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]
    heads: tuple[int, int, int, int]
    group: int
    fusion_widths: tuple[int, int, int, int]
    head_dim: int
    regions: int = 3

    @property
    def sides(self) -> tuple[int, ...]:
        """Tokens along one side of the map at each stage."""
        return tuple(self.input_size // stride for stride in (4, 8, 16, 32))

    @property
    def embedding_dim(self) -> int:
        """Length of the embedding: (1 + regions) * head_dim."""
        return (1 + self.regions) * self.head_dim


VARIANTS: dict[str, MiftConfig] = {
    config.variant: config
    for config in (
        MiftConfig(
            variant="mift_s",
            input_size=224,
            dims=(96, 192, 384, 768),
            depths=(2, 2, 6, 2),
            heads=(3, 6, 12, 24),
            group=7,
            fusion_widths=(64, 64, 128, 512),
            head_dim=512,
        ),
        MiftConfig(
            variant="mift_nano",
            input_size=128,
            dims=(32, 64, 128, 192),
            depths=(2, 2, 4, 2),
            heads=(1, 2, 4, 6),
            group=8,
            fusion_widths=(12, 12, 24, 96),
            head_dim=64,
        ),
    )
}
