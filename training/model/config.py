"""Sizes of the network and the named variants."""

from __future__ import annotations

import enum
from dataclasses import dataclass

STAGE_STRIDES = (4, 2, 2, 2)
STAGE_KERNELS = ((4, 8, 16, 32), (2, 4), (2, 4), (2, 4))
"""Convolution kernels of the four embedding layers: row 3 of Table 5, the best of the ablation."""


class AttentionKind(str, enum.Enum):
    """What the layers of every stage are made of: the rows of Tables 6 and 8, and the half of the first."""

    GLRA = "glra"
    """Global-local range attention, the paper's."""
    LOCAL = "local"
    """Its local range in every layer."""
    SWIN = "swin"
    """Windows, shifted in every other layer."""
    PVT = "pvt"
    """Every token to a coarser copy of the map."""
    MHA = "mha"
    """Every token to every other."""

    @property
    def needs_position(self) -> bool:
        """Whether the kind has no position of its own, so that each map of tokens gets a learned one."""
        return self in (AttentionKind.PVT, AttentionKind.MHA)


@dataclass(frozen=True)
class MiftConfig:
    """Everything that fixes the network; tuples run over stages 1 to 4.

    `depths` counts attention layers, alternately local and global, hence even. `group` is the side of an attention
    group in tokens, at most the stage's own side. `fusion_widths` are the channels after MFF's 1x1 reductions.
    `head_dim` is the width of one branch; the embedding joins the global branch and `regions` region branches.
    `kernels` are those of the embedding layers, ascending; `drop_path` the rate of stochastic depth at the last layer.
    Without `fusion` the global feature is the mean of stage 4 alone. A `grid` of that many cells a side takes the place
    of both: a branch per cell, since in patches with north up a place in the patch is a place on the ground.
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
    kernels: tuple[tuple[int, ...], ...] = STAGE_KERNELS
    attention: AttentionKind = AttentionKind.GLRA
    drop_path: float = 0.0
    fusion: bool = True
    grid: int = 0

    @property
    def sides(self) -> tuple[int, ...]:
        """Tokens along one side of the map at each stage."""
        return tuple(self.input_size // stride for stride in (4, 8, 16, 32))

    @property
    def most_groups(self) -> int:
        """Attention groups of one image at the stage that has most of them."""
        return max((side // min(self.group, side)) ** 2 for side in self.sides)

    @property
    def region_branches(self) -> int:
        """Branches beside the global one: none for one region, as in Fig. 13, since it is the whole map."""
        return self.regions if self.regions > 1 else 0

    @property
    def branches(self) -> int:
        """The cells of the grid, or the global branch and the regions."""
        return self.grid**2 if self.grid else 1 + self.region_branches

    @property
    def embedding_dim(self) -> int:
        """Length of the embedding: branches * head_dim."""
        return self.branches * self.head_dim


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
        # For comparisons that a CPU runs in minutes (training/tables), not for flying.
        MiftConfig(
            variant="mift_pico",
            input_size=96,
            dims=(16, 32, 64, 128),
            depths=(2, 2, 2, 2),
            heads=(1, 2, 4, 8),
            group=6,
            fusion_widths=(8, 8, 16, 64),
            head_dim=64,
        ),
    )
}
