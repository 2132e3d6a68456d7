"""Symmetric InfoNCE over a batch of distinct places, with a learnable temperature."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.losses.memory import NegativeMemory
from training.model.network import join_branches

INITIAL_TEMPERATURE = 0.07
LARGEST_LOGIT_SCALE = 100.0


class Others(NamedTuple):
    """Further negatives: embeddings [M, D] of either view, and which of them serve each row, bool [B, M]."""

    queries: Tensor
    gallery: Tensor
    allowed: Tensor


def info_nce(
    queries: Tensor, gallery: Tensor, scale: Tensor, label_smoothing: float = 0.0, others: Others | None = None
) -> Tensor:
    """Mean of the cross-entropies of both directions; row i of queries [B, D] belongs to row i of gallery [B, D].

    Both are L2-normalised; `scale` multiplies their cosines (van den Oord et al. 2018, Eq. 4; symmetric as CLIP).
    """
    forth = scale * queries @ gallery.T
    back = forth.T
    if others is not None:
        forth = torch.cat([forth, _masked(scale * queries @ others.gallery.T, others.allowed)], dim=1)
        back = torch.cat([back, _masked(scale * gallery @ others.queries.T, others.allowed)], dim=1)
    target = torch.arange(len(queries), device=queries.device)
    losses = [functional.cross_entropy(logits, target, label_smoothing=label_smoothing) for logits in (forth, back)]
    return 0.5 * (losses[0] + losses[1])


def _masked(logits: Tensor, allowed: Tensor) -> Tensor:
    return logits.masked_fill(~allowed, -math.inf)


class InfoNce(nn.Module):
    """InfoNCE on the embedding plus, with a small weight, the mean of the same loss on each branch.

    `memory` gives the embedding's part further negatives, from steps gone by.
    """

    def __init__(self, branch_weight: float, label_smoothing: float, memory: NegativeMemory | None = None) -> None:
        super().__init__()
        self.memory = memory
        self.branch_weight = branch_weight
        self.label_smoothing = label_smoothing
        self.log_scale = nn.Parameter(torch.tensor(math.log(1.0 / INITIAL_TEMPERATURE)))

    @property
    def scale(self) -> Tensor:
        """What multiplies the cosines: one over the temperature, bounded as in CLIP so that no pair takes it all."""
        return self.log_scale.exp().clamp(max=LARGEST_LOGIT_SCALE)

    def forward(self, satellite: Tensor, drone: Tensor, ground: Tensor | None = None) -> Tensor:
        """Scalar loss of two views [B, K, d], row i of both from the same place, ground[i] of Batch.ground.

        ground is needed with a memory, which takes the rows in.
        """
        scale = self.scale
        queries, gallery = join_branches(drone), join_branches(satellite)
        whole = info_nce(queries, gallery, scale, self.label_smoothing, self._others(ground))
        if self.memory is not None and ground is not None:
            self.memory.keep(gallery, queries, ground)
        if self.branch_weight == 0.0:
            return whole
        pairs = zip(
            functional.normalize(drone, dim=2).unbind(1), functional.normalize(satellite, dim=2).unbind(1), strict=True
        )
        parts = [info_nce(a, b, scale, self.label_smoothing) for a, b in pairs]
        return whole + self.branch_weight * torch.stack(parts).mean()

    def _others(self, ground: Tensor | None) -> Others | None:
        """The memory's rows as they are now: it may take others in before the gradient is computed."""
        if self.memory is None or ground is None:
            return None
        allowed = self.memory.negatives(ground)
        kept = allowed.shape[1]
        return Others(self.memory.drone[:kept].clone(), self.memory.satellite[:kept].clone(), allowed)
