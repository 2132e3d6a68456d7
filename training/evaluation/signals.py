"""What of a query's scores tells whether its first tile is the right one: the most a gate can have to go by."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]

SCALES = tuple(float(scale) for scale in np.geomspace(1.0, 200.0, 60))
"""Inverse temperatures that are tried."""
NEXT = 9
"""Tiles behind the first whose mean it is compared with."""


def signals(scores: Floats, right: npt.NDArray[np.int64]) -> dict[str, Floats]:
    """By name, one number for each query, larger where it should have been found; of scores [Q, N], right tiles [Q]."""
    best = -np.sort(-scores, axis=1)[:, : NEXT + 1]
    log_share = log_shares(scores, fitted_scale(scores, right))
    return {
        "best score": best[:, 0],
        "lead over the next": best[:, 0] - best[:, 1],
        f"lead over the next {NEXT}": best[:, 0] - best[:, 1:].mean(axis=1),
        "best in sigmas": (best[:, 0] - scores.mean(axis=1)) / scores.std(axis=1),
        "less entropy": (np.exp(log_share) * log_share).sum(axis=1),
        "probability of the best": log_share.max(axis=1),
    }


def log_shares(scores: Floats, scale: float) -> Floats:
    """Logarithm of the softmax of scale * scores over the tiles [Q, N]."""
    logits = scale * (scores - scores.max(axis=1, keepdims=True))
    return np.asarray(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))


def fitted_scale(scores: Floats, right: npt.NDArray[np.int64]) -> float:
    """The inverse temperature of SCALES under which the right tiles are likeliest."""
    rows = np.arange(len(right))
    return max(SCALES, key=lambda scale: float(log_shares(scores, scale)[rows, right].mean()))


def auroc(signal: Floats, found: Bools) -> float:
    """Probability that a query that is found has more of the signal than one that is not; NaN where all are alike."""
    with_it, without = signal[found], np.sort(signal[~found])
    if not len(with_it) or not len(without):
        return float("nan")
    below = (np.searchsorted(without, with_it, "left") + np.searchsorted(without, with_it, "right")) / 2
    return float(below.mean() / len(without))
