"""Parts of a map of features: regions of its heat (section 3.4, Eqs. 1 to 3 of the paper), or cells of a grid.

No parameters, no data-dependent shapes.
"""

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


def cell_features(features: Tensor, grid: int) -> Tensor:
    """Mean feature vector of each cell, row by row from the north west; a map [B, P, P, C] to [B, grid^2, C].

    Where grid does not divide P, neighbouring cells share a row or a column of patches.
    """
    side = features.shape[1]
    bounds = [(index * side // grid, -(-(index + 1) * side // grid)) for index in range(grid)]
    cells = [features[:, top:bottom, left:right] for top, bottom in bounds for left, right in bounds]
    return torch.stack([cell.mean(dim=(1, 2)) for cell in cells], dim=1)
