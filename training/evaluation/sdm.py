"""Spatial distance metric SDM@K of DenseUAV (Dai et al., IEEE TIP 2024): how near the first K images were taken.

The i-th of K images (from 0) weighs 1 - i / K and is worth exp(-5000 d), d the Euclidean distance between its and the
query's longitude and latitude in degrees; SDM@K is the weighted mean. 0.001 degrees, about 100 m, is worth 0.7 %.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mift_ros.errors import TrainingError
from training.data.multiview.dataset import Positions, Task
from training.evaluation.extract import Embedded
from training.evaluation.ranking import nearest

KS = (1, 3, 5, 10)
DECAY_PER_DEG = 5e3


def sdm(query_deg: npt.NDArray[np.float32], ranked_deg: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """SDM@K of each query: positions [Q, 2] of the queries and [Q, K, 2] of their first K images, in degrees."""
    distance_deg = np.linalg.norm(ranked_deg - query_deg[:, None], axis=2).astype(np.float64)
    weight = 1.0 - np.arange(ranked_deg.shape[1]) / ranked_deg.shape[1]
    value: npt.NDArray[np.float64] = np.exp(-DECAY_PER_DEG * distance_deg) @ weight / weight.sum()
    return value


def sdm_of_task(task: Task, embedded: Embedded, positions: Positions) -> dict[int, float]:
    """Mean SDM@K over the queries for each K of KS; K beyond the gallery's size takes all of it."""
    (queries, _), (gallery, _) = embedded.of(task.queries), embedded.of(task.gallery)
    ranked = task.gallery.labels[nearest(queries, gallery, max(KS)).cpu().numpy()]
    query_deg, ranked_deg = _degrees(task.queries.labels, positions), _degrees(ranked, positions)
    return {k: float(sdm(query_deg, ranked_deg[:, :k]).mean()) for k in KS}


def _degrees(labels: npt.NDArray[np.int64], positions: Positions) -> npt.NDArray[np.float32]:
    """Positions of classes, in single precision as the published script keeps them (0.8 m at 120 degrees east)."""
    known, inverse = np.unique(labels, return_inverse=True)
    missing = [label for label in known.tolist() if label not in positions]
    if missing:
        raise TrainingError(f"class {missing[0]:06d} has no position; SDM needs those of all test classes")
    degrees = np.array([positions[label] for label in known.tolist()], np.float32)
    return degrees[inverse.reshape(labels.shape)]
