"""Which classes share a batch, and which images of a class are shown."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Classes = npt.NDArray[np.int64]

PLAN_STREAM = 1
"""Keeps the generator of an epoch's plan apart from those of its rows."""


def epoch_steps(classes: int, batch_classes: int) -> int:
    """Steps until every class was shown: the last batch is completed, not dropped."""
    return -(-classes // batch_classes)


def epoch_plan(
    classes: int,
    batch_classes: int,
    seed: int,
    epoch: int,
    neighbours: Classes | None = None,
    hard_share: float = 0.0,
) -> Classes:
    """Distinct classes of each batch of an epoch, int64 [epoch_steps, batch_classes].

    Every class is shown once; the last batch is completed with classes of the epoch's first ones, so that all batches
    are of one size and no class is left out. With neighbours [classes, K], nearest first, hard_share of each batch is
    filled with the nearest classes of the others that the epoch has not shown yet: dynamic similarity sampling of
    Sample4Geo (Deuser et al., ICCV 2023, section 3.3), each followed by its neighbours so that they stay together
    where a batch is divided.
    """
    order: Classes = np.random.default_rng([seed, PLAN_STREAM, epoch]).permutation(classes).astype(np.int64)
    shape = (epoch_steps(classes, batch_classes), batch_classes)
    hard = round(hard_share * batch_classes)
    if neighbours is None or hard == 0:
        return np.resize(order, shape)
    unused = dict.fromkeys(order.tolist())
    nearest = neighbours.tolist()
    return np.array([_hard_batch(order, unused, nearest, batch_classes, hard) for _ in range(shape[0])], np.int64)


def _hard_batch(
    order: Classes, unused: dict[int, None], nearest: list[list[int]], batch_classes: int, hard: int
) -> list[int]:
    anchors = max(batch_classes - hard, 1)
    batch: list[int] = []
    for group in range(anchors):
        size = batch_classes * (group + 1) // anchors - batch_classes * group // anchors
        batch += _take(unused, _with_nearest(unused, nearest)[:size])
    batch += _take(unused, list(unused)[: batch_classes - len(batch)])
    shown = set(batch)
    return batch + [label for label in order.tolist() if label not in shown][: batch_classes - len(batch)]


def _with_nearest(unused: dict[int, None], nearest: list[list[int]]) -> list[int]:
    """The next unused class and its unused neighbours, nearest first; nothing when all are used."""
    anchor = next(iter(unused), None)
    if anchor is None:
        return []
    return [anchor, *(other for other in nearest[anchor] if other in unused and other != anchor)]


def _take(unused: dict[int, None], taken: list[int]) -> list[int]:
    for label in taken:
        del unused[label]
    return taken


def choose(available: int, wanted: int, rng: np.random.Generator) -> list[int]:
    """Indices of `wanted` random images out of `available`, all distinct while there are as many."""
    return [int(index) for index in np.resize(rng.permutation(available), wanted)]
