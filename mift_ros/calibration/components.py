"""Maximum likelihood of what covariances are made of: each observation's is a known sum with unknown weights."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]
ROUNDS, HALVINGS = 200, 30
CONVERGED = 1e-9
LARGE = 100.0
"""A weight of so many times its start costs one unit of log-likelihood: where the errors say nothing of it, it is 0."""


def fit_weights(errors: Vector, parts: Vector, base: Vector, start: Vector) -> tuple[Vector, float]:
    """Weights [K] >= 0 of `parts` [K, N, D, D] in the covariances base [N, D, D] + sum, for errors [N, D].

    Gaussian likelihood with a weak prior, by Fisher scoring projected to where no weight is negative: a weight at 0
    grows again when the likelihood rises with it. `start` [K] > 0 is their order of magnitude, not more. Returns the
    weights and the mean negative log-likelihood.
    """
    unit, price = parts * start[:, None, None, None], 1.0 / (LARGE * len(errors))
    weights = np.ones(len(start))
    cost, inverse, pulled = _judged(errors, base, unit, weights, price)
    for _ in range(ROUNDS):
        told = np.einsum("nij,knjl->knil", inverse, unit)
        seen = np.einsum("ni,knij,nj->k", pulled, unit, pulled) / len(errors)
        slope = np.einsum("knii->k", told) / len(errors) / 2 - seen / 2 + price
        curvature = np.einsum("knij,lnji->kl", told, told) / len(errors) / 2 + 1e-9 * np.eye(len(start))
        free = np.flatnonzero((weights > 0) | (slope < 0))
        step = np.zeros(len(start))
        step[free] = -np.linalg.solve(curvature[np.ix_(free, free)], slope[free])
        for halving in range(HALVINGS):
            tried = np.maximum(weights + step / 2**halving, 0.0)
            found = _judged(errors, base, unit, tried, price)
            if found[0] < cost:
                break
        else:
            break
        gain, weights, (cost, inverse, pulled) = cost - found[0], tried, found
        if gain < CONVERGED:
            break
    return weights * start, cost


def _judged(errors: Vector, base: Vector, parts: Vector, weights: Vector, price: float) -> tuple[float, Vector, Vector]:
    """Mean negative log-likelihood and price of the weights, inverse covariances, and these times the errors."""
    covariances = base + np.tensordot(weights, parts, axes=1)
    inverse = np.asarray(np.linalg.inv(covariances), np.float64)
    pulled: Vector = np.einsum("nij,nj->ni", inverse, errors)
    cost = (np.linalg.slogdet(covariances)[1] + (pulled * errors).sum(axis=1)).mean() / 2
    return float(cost + price * weights.sum()), inverse, pulled


def squared_sigmas(errors: Vector, covariances: Vector) -> Vector:
    """Squared Mahalanobis distance [N] of errors [N, D] under covariances [N, D, D]."""
    return np.asarray(np.einsum("ni,ni->n", errors, np.linalg.solve(covariances, errors[..., None])[..., 0]))
