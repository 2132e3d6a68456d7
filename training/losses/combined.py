"""The loss of a recipe: the weighted sum of its terms over two views of a whole batch."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from training.losses.identity import IdentityLoss
from training.losses.info_nce import InfoNce
from training.losses.triplet import cross_view_triplet
from training.recipes.schema import LossSpec


class LossTerms(NamedTuple):
    """What is minimised, and its terms by their names in LossSpec, detached and before their weights."""

    total: Tensor
    terms: dict[str, Tensor]


class CrossViewLoss(nn.Module):
    """Triplet, identity and InfoNCE terms; those of weight 0 are neither built nor computed.

    A pure function of the branches of all rows of a step: where a step is spread over processes or over several
    passes, its branches are gathered first.
    """

    def __init__(self, spec: LossSpec, branch_count: int, head_dim: int, classes: int) -> None:
        """branch_count, head_dim: of the network; classes: of the training set, 0 where it has none."""
        super().__init__()
        self.spec = spec
        self.identity = IdentityLoss(branch_count, head_dim, classes) if spec.identity else None
        self.infonce = InfoNce(spec.branch_weight, spec.label_smoothing) if spec.infonce else None

    @property
    def temperature(self) -> Tensor | None:
        """Of InfoNCE, a scalar; None without that term."""
        return None if self.infonce is None else 1.0 / self.infonce.scale.detach()

    def bound(self) -> None:
        """Bring the parameters back to where they may be; to be called after each update."""
        if self.infonce is not None:
            self.infonce.bound()

    def forward(self, satellite: Tensor, drone: Tensor, labels: Tensor) -> LossTerms:
        """Loss of branches [B, K, d] of either view, rows i showing class labels[i] [B]; float32 under any autocast."""
        with torch.autocast(satellite.device.type, enabled=False):
            terms = self._terms(satellite.float(), drone.float(), labels)
            total = torch.stack([getattr(self.spec, name) * term for name, term in terms.items()]).sum()
        return LossTerms(total, {name: term.detach() for name, term in terms.items()})

    def _terms(self, satellite: Tensor, drone: Tensor, labels: Tensor) -> dict[str, Tensor]:
        terms = {}
        if self.spec.triplet:
            terms["triplet"] = cross_view_triplet(satellite, drone, labels, self.spec.margin, self.spec.hardest)
        if self.identity is not None:
            terms["identity"] = self.identity(satellite, drone, labels)
        if self.infonce is not None:
            terms["infonce"] = self.infonce(satellite, drone)
        return terms
