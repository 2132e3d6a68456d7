"""Triplet loss between views: Eq. 4 and Fig. 8 of the paper."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def cross_view_triplet(
    satellite: Tensor, drone: Tensor, labels: Tensor, margin: float, hardest: bool = False
) -> Tensor:
    """Mean of Eq. 4 over the branches; views [B, K, d], of which rows i show class labels[i] [B].

    Every image of either view is an anchor; its positives and negatives are images of the other view, so that two
    images of one view never meet (Fig. 8). Of each branch it is the mean over all triplets (a, p, n), as Fig. 8 draws
    them, that cost something, or, with `hardest`, over the farthest positive and the nearest negative of each anchor,
    which is how the code family of the released MIFT does it (FSRA, losses/triplet_loss.py: Tripletloss). Triplets
    that the margin has settled are left out of the mean: they soon outnumber the others and would silence them
    (Hermans et al. 2017, In Defense of the Triplet Loss: "batch all", non-zero). Branches count equally: section 3.5
    applies the loss to each.

    Branches are L2-normalised before the distance. The paper does not say so; but a margin of 0.3 is a length only
    among vectors of known length (distances here run from 0 to 2), the test-time distance is taken between normalised
    features, and the same code family normalises too. Labels hold at least two classes, else there is no triplet.
    """
    a, b = (functional.normalize(view, dim=2).transpose(0, 1) for view in (satellite, drone))
    distances = torch.cdist(a, b)
    same = labels[:, None] == labels[None, :]
    hinges = hardest_hinges if hardest else all_hinges
    costs = torch.cat([hinges(distances, same, margin), hinges(distances.transpose(1, 2), same.T, margin)], dim=1)
    counted = costs.shape[1] if hardest else (costs > 0).sum(dim=1).clamp(min=1)
    return (costs.sum(dim=1) / counted).mean()


def all_hinges(distances: Tensor, same: Tensor, margin: float) -> Tensor:
    """Eq. 4 of every triplet [K, T]; distances [K, A, N] of anchors and others, same [A, N] bool: of one class."""
    anchors, positives = same.nonzero(as_tuple=True)
    others = ~same[anchors]
    hinge = functional.relu(distances[:, anchors, positives, None] - distances[:, anchors] + margin)
    return (hinge * others).flatten(1)


def hardest_hinges(distances: Tensor, same: Tensor, margin: float) -> Tensor:
    """Eq. 4 of every anchor [K, A] with its farthest positive and its nearest negative."""
    positive = distances.masked_fill(~same, -torch.inf).amax(dim=2)
    negative = distances.masked_fill(same, torch.inf).amin(dim=2)
    return functional.relu(positive - negative + margin)
