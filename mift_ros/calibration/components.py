"""Maximum likelihood of what covariances are made of: each observation's is a known sum with unknown weights."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]
ROUNDS = 200
CONVERGED = 1e-5


def fit_weights(errors: Vector, parts: Vector, base: Vector, start: Vector) -> tuple[Vector, float]:
    """Weights [K] >= 0 of `parts` [K, N, D, D] in the covariances base [N, D, D] + sum, for errors [N, D].

    Gaussian likelihood, by the update of Zhou, Hu, Zhou and Lange (MM algorithms for variance components models, 2019),
    which never lowers it. Returns the weights and the mean negative log-likelihood.
    """
    weights, last = start.astype(float), np.inf
    for _ in range(ROUNDS):
        cov = base + np.tensordot(weights, parts, axes=1)
        inverse = np.linalg.inv(cov)
        pulled = np.einsum("nij,nj->ni", inverse, errors)
        cost = float((np.linalg.slogdet(cov)[1] + (pulled * errors).sum(axis=1)).mean() / 2)
        if last - cost < CONVERGED:
            return weights, cost
        last = cost
        wanted = np.einsum("ni,knij,nj->k", pulled, parts, pulled)
        had = np.einsum("nij,knji->k", inverse, parts)
        weights = weights * np.sqrt(wanted / np.maximum(had, 1e-12))
    return weights, last


def squared_sigmas(errors: Vector, covariances: Vector) -> Vector:
    """Squared Mahalanobis distance [N] of errors [N, D] under covariances [N, D, D]."""
    return np.asarray(np.einsum("ni,ni->n", errors, np.linalg.solve(covariances, errors[..., None])[..., 0]))
