"""Symmetric InfoNCE over a batch of distinct places, with a learnable temperature."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.model.network import join_branches

INITIAL_TEMPERATURE = 0.07
LARGEST_LOGIT_SCALE = 100.0


def info_nce(queries: Tensor, gallery: Tensor, scale: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Mean of the cross-entropies of both directions; row i of queries [B, D] belongs to row i of gallery [B, D].

    Both are L2-normalised; `scale` multiplies their cosines (van den Oord et al. 2018, Eq. 4; symmetric as CLIP).
    """
    logits = scale * queries @ gallery.T
    target = torch.arange(len(queries), device=queries.device)
    forth = functional.cross_entropy(logits, target, label_smoothing=label_smoothing)
    back = functional.cross_entropy(logits.T, target, label_smoothing=label_smoothing)
    return 0.5 * (forth + back)


class InfoNce(nn.Module):
    """InfoNCE on the embedding plus, with a small weight, the mean of the same loss on each branch."""

    def __init__(self, branch_weight: float, label_smoothing: float) -> None:
        super().__init__()
        self.branch_weight = branch_weight
        self.label_smoothing = label_smoothing
        self.log_scale = nn.Parameter(torch.tensor(math.log(1.0 / INITIAL_TEMPERATURE)))

    @property
    def scale(self) -> Tensor:
        """What multiplies the cosines: one over the temperature."""
        return self.log_scale.exp()

    @torch.no_grad()
    def bound(self) -> None:
        """Bring the scale back below its bound after an update, as CLIP does, so that no pair takes it all.

        Bounding the scale instead would leave it without a gradient, for good, once it is there.
        """
        self.log_scale.clamp_(max=math.log(LARGEST_LOGIT_SCALE))

    def forward(self, satellite: Tensor, drone: Tensor) -> Tensor:
        """Scalar loss of two views [B, K, d], row i of both from the same place."""
        scale = self.scale
        whole = info_nce(join_branches(drone), join_branches(satellite), scale, self.label_smoothing)
        if self.branch_weight == 0.0:
            return whole
        pairs = zip(
            functional.normalize(drone, dim=2).unbind(1), functional.normalize(satellite, dim=2).unbind(1), strict=True
        )
        parts = [info_nce(a, b, scale, self.label_smoothing) for a, b in pairs]
        return whole + self.branch_weight * torch.stack(parts).mean()
