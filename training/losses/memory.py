"""Embeddings of rows gone by, as further negatives: cross-batch memory (Wang et al., CVPR 2020, section 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def same_ground(a: Tensor, b: Tensor) -> Tensor:
    """Whether rows of a [N, 4] and b [M, 4] may show the same ground, bool [N, M]; rows as Batch.ground has them."""
    apart = torch.cdist(a[:, 1:3], b[:, 1:3])
    return (a[:, None, 0] == b[None, :, 0]) & (apart < a[:, None, 3] + b[None, :, 3])


class NegativeMemory(nn.Module):
    """The last rows of both views, oldest replaced first; part of the checkpoint, as everything a step depends on.

    A row costs the network once and serves as a negative for many steps: with learning rates of fine-tuning, its
    embedding drifts little meanwhile.
    """

    satellite: Tensor
    drone: Tensor
    ground: Tensor
    seen: Tensor

    def __init__(self, rows: int, dim: int) -> None:
        """rows: how many are kept; dim: length of an embedding."""
        super().__init__()
        self.rows = rows
        self.register_buffer("satellite", torch.zeros(rows, dim))
        self.register_buffer("drone", torch.zeros(rows, dim))
        self.register_buffer("ground", torch.zeros(rows, 4))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def negatives(self, ground: Tensor) -> Tensor:
        """Which kept rows are other ground than rows with this one [N, 4]: bool [N, kept rows]."""
        kept = min(int(self.seen.item()), self.rows)
        return ~same_ground(ground, self.ground[:kept])

    @torch.no_grad()
    def keep(self, satellite: Tensor, drone: Tensor, ground: Tensor) -> None:
        """Take embeddings [N, dim] of both views and what they show [N, 4]; the last of them where N exceeds rows."""
        last = min(len(ground), self.rows)
        places = (self.seen + torch.arange(last, device=ground.device)) % self.rows
        for store, rows in ((self.satellite, satellite), (self.drone, drone), (self.ground, ground)):
            store[places] = rows[-last:].to(store.dtype)
        self.seen += last
