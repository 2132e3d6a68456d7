"""Heat-map regions: section 3.4 and Eqs. 1 to 3 of the paper. No parameters, no data-dependent shapes."""

from __future__ import annotations

import torch
from torch import Tensor


def heat(features: Tensor) -> Tensor:
    """Eq. 1: heat of each patch, the mean of its feature vector; [B, P, C] to [B, P]."""
    return features.mean(dim=2)


def partition(heat_values: Tensor, regions: int) -> Tensor:
    """Eq. 2: label each patch with its region; [B, P] to [B, P] int64 in 0 .. regions - 1, ascending in heat.

    The sorted heat is cut at its regions - 1 largest steps. Steps are chosen by rank, so that each region has at least
    one patch and each patch one region even where heat values or steps tie. Needs 1 <= regions <= P.
    """
    values, order = heat_values.sort(dim=1)
    steps = (values[:, 1:] - values[:, :-1]) / 2
    cuts = torch.zeros_like(steps, dtype=torch.int64).scatter(1, steps.topk(regions - 1, dim=1).indices, 1)
    by_rank = torch.cat([torch.zeros_like(order[:, :1]), cuts.cumsum(dim=1)], dim=1)
    return torch.zeros_like(order).scatter(1, order, by_rank)


def pool(features: Tensor, labels: Tensor, regions: int) -> Tensor:
    """Eq. 3: mean feature vector of each region; [B, P, C] and [B, P] to [B, regions, C]."""
    members = (labels.unsqueeze(1) == torch.arange(regions, device=labels.device).reshape(1, -1, 1)).to(features.dtype)
    return (members @ features) / members.sum(dim=2, keepdim=True)


def region_features(features: Tensor, regions: int) -> Tensor:
    """Eqs. 1 to 3 in a row: stage 4 features [B, P, C] to region features [B, regions, C]."""
    return pool(features, partition(heat(features), regions), regions)
