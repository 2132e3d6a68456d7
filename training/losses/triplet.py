"""Triplet loss between views: Eq. 4 and Fig. 8 of the paper."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def cross_view_triplet(
    satellite: Tensor, drone: Tensor, labels: Tensor, margin: float, hardest: bool = False
) -> Tensor:
    """Mean of Eq. 4 over the triplets of every branch; views [B, K, d], of which rows i show class labels[i] [B].

    Every image of either view is an anchor; its positives and negatives are images of the other view, so that two
    images of one view never meet (Fig. 8). The mean runs over all triplets (a, p, n), as Fig. 8 draws them, or, with
    `hardest`, over the farthest positive and the nearest negative of each anchor (Hermans et al. 2017), which is how
    the code family of the released MIFT does it (FSRA, losses/triplet_loss.py: Tripletloss). Branches count equally:
    section 3.5 applies the loss to each, and with their mean the learning rate does not depend on their number.

    Branches are L2-normalised before the distance. The paper does not say so; but a margin of 0.3 is a length only
    among vectors of known length (distances here run from 0 to 2), the test-time distance is taken between normalised
    features, and the same code family normalises too. Labels hold at least two classes, else there is no triplet.
    """
    a, b = (functional.normalize(view, dim=2).transpose(0, 1) for view in (satellite, drone))
    distances = torch.cdist(a, b)
    same = labels[:, None] == labels[None, :]
    triplets = hardest_triplets if hardest else all_triplets
    return 0.5 * (triplets(distances, same, margin) + triplets(distances.transpose(1, 2), same.T, margin))


def all_triplets(distances: Tensor, same: Tensor, margin: float) -> Tensor:
    """Mean over anchors, their positives and their negatives; distances [K, A, N], same [A, N] bool: of one class."""
    anchors, positives = same.nonzero(as_tuple=True)
    others = ~same[anchors]
    hinge = functional.relu(distances[:, anchors, positives, None] - distances[:, anchors] + margin)
    return (hinge * others).sum() / (len(distances) * others.sum())


def hardest_triplets(distances: Tensor, same: Tensor, margin: float) -> Tensor:
    """Mean over anchors, with the farthest positive and the nearest negative of each."""
    positive = distances.masked_fill(~same, -torch.inf).amax(dim=2)
    negative = distances.masked_fill(same, torch.inf).amin(dim=2)
    return functional.relu(positive - negative + margin).mean()
