"""Identity loss: each branch tells the training classes apart (instance loss of Zheng et al. 2020)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class IdentityLoss(nn.Module):
    """Cross-entropy of one linear classifier per branch, which both views share; used in training only.

    The paper trains without it; the released code adds it with weight 1. As there, branches are averaged and the two
    views are added. Classifiers start after Kaiming (section 4.2).
    """

    def __init__(self, branch_count: int, head_dim: int, classes: int) -> None:
        super().__init__()
        self.classifiers = nn.ModuleList(nn.Linear(head_dim, classes) for _ in range(branch_count))
        self.classifiers.apply(_init_classifier)

    def forward(self, satellite: Tensor, drone: Tensor, labels: Tensor) -> Tensor:
        """Scalar loss of two views [B, K, d], not normalised, of classes labels [B] in 0 .. classes - 1."""
        views = (satellite.unbind(1), drone.unbind(1))
        terms = [
            functional.cross_entropy(classifier(branch), labels)
            for view in views
            for classifier, branch in zip(self.classifiers, view, strict=True)
        ]
        return torch.stack(terms).sum() / len(self.classifiers)


def _init_classifier(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.kaiming_normal_(module.weight)
        nn.init.zeros_(module.bias)
