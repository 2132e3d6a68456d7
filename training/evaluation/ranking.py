"""Recall@K and average precision as the University-1652 protocol defines them, for any number of true matches.

Scores are dot products, best first; equal scores keep the order of the gallery. Ranks are counted, not sorted out: each
(score, index) pair becomes one integer that orders as the protocol does, so no two are equal, and the rank of a true
match is the number of larger ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mift_ros.errors import TrainingError

JUNK = -1
"""Label of gallery images that count neither for nor against a ranking."""
CHUNK_SCORES = 2**22
"""Scores worked on at once; each takes about 24 bytes."""
SIGN_BITS = 0x7FFFFFFF
INDEX_BITS = 32


@dataclass(frozen=True)
class Ranking:
    """What each query's ranked gallery is worth.

    first_rank: of the best true match, 0 is first; ap_trapezoid: average precision as the published evaluation scripts
    compute it; ap_eq6: as Eq. 6 of the paper says; both 0 to 1; gallery: its images, junk included.
    """

    first_rank: npt.NDArray[np.int64]
    ap_trapezoid: npt.NDArray[np.float64]
    ap_eq6: npt.NDArray[np.float64]
    gallery: int

    def recall_at(self, k: int) -> float:
        """Eq. 5: share of the queries with a true match among the first k."""
        return float((self.first_rank < k).mean())

    @property
    def one_percent(self) -> int:
        """K of "R@1 %": the published scripts read the curve at index round(N / 100), which is one image further."""
        return round(self.gallery * 0.01) + 1

    @property
    def mean_ap_trapezoid(self) -> float:
        """Mean over the queries of the official average precision."""
        return float(self.ap_trapezoid.mean())

    @property
    def mean_ap_eq6(self) -> float:
        """Mean over the queries of Eq. 6."""
        return float(self.ap_eq6.mean())


def rank_embeddings(queries: Tensor, query_labels: Tensor, gallery: Tensor, gallery_labels: Tensor) -> Ranking:
    """Rank gallery embeddings [N, D] for query embeddings [Q, D]; labels int64 [Q] and [N], on any one device.

    Raises:
        TrainingError: no query, widths that differ, a value that is not finite, or a query without a true match.
    """
    _check(queries, query_labels, gallery, gallery_labels)
    kept = gallery_labels != JUNK
    table = TrueMatches(query_labels, gallery_labels[kept])
    if not kept.all():
        gallery = gallery[kept]
    parts = [_count(scores, table, start) for start, scores in score_chunks(queries, gallery)]
    first, trapezoid, eq6 = (torch.cat(column).cpu().numpy() for column in zip(*parts))
    return Ranking(first, trapezoid, eq6, len(gallery_labels))


def nearest(queries: Tensor, gallery: Tensor, count: int) -> Tensor:
    """The first `count` gallery indices of each query, best first [Q, min(count, N)] int64; ties as in the ranking."""
    count = min(count, len(gallery))
    best = [keys(scores).topk(count, dim=1).values for _, scores in score_chunks(queries, gallery)]
    return indices(torch.cat(best))


def score_chunks(queries: Tensor, gallery: Tensor) -> Iterator[tuple[int, Tensor]]:
    """First query and scores [q, N] float32 of each chunk of queries."""
    gallery = gallery.float()
    rows = max(1, CHUNK_SCORES // len(gallery))
    for start in range(0, len(queries), rows):
        yield start, queries[start : start + rows].float() @ gallery.T


def keys(scores: Tensor) -> Tensor:
    """Integers [Q, N] int64 that order as the ranking does: a higher score, then a lower index, is larger."""
    bits = (scores + 0.0).view(torch.int32)  # adding zero makes one value of the two zeros
    ordered = torch.where(bits < 0, bits ^ SIGN_BITS, bits).to(torch.int64)
    below = torch.arange(scores.shape[1], device=scores.device)
    return (ordered << INDEX_BITS) + ((1 << INDEX_BITS) - 1 - below)


def indices(of_keys: Tensor) -> Tensor:
    """Gallery indices of `keys`."""
    last = (1 << INDEX_BITS) - 1
    return last - (of_keys & last)


class TrueMatches:
    """Where the true matches of each query lie in the gallery, padded to the most that any query has."""

    def __init__(self, query_labels: Tensor, gallery_labels: Tensor) -> None:
        by_label, self._order = gallery_labels.sort(stable=True)
        self._start = torch.searchsorted(by_label, query_labels)
        self.count = torch.searchsorted(by_label, query_labels, right=True) - self._start
        if not self.count.all():
            label = query_labels[self.count == 0][0].item()
            raise TrainingError(f"no image of the gallery shows class {label} of the queries; check the data set")

    def rows(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Gallery indices [q, P] of queries start to stop, and which of them are not padding."""
        count = self.count[start:stop, None]
        column = torch.arange(int(self.count.max()), device=count.device)
        real = column < count
        return self._order[self._start[start:stop, None] + torch.minimum(column, count - 1)], real


def _count(scores: Tensor, table: TrueMatches, start: int) -> tuple[Tensor, Tensor, Tensor]:
    """First rank, official average precision and Eq. 6 of each query of a chunk."""
    ordered = keys(scores)
    where, real = table.rows(start, start + len(scores))
    own = ordered.gather(1, where).masked_fill(~real, torch.iinfo(torch.int64).max).sort(dim=1).values
    ranks = _larger(ordered, own)
    hit = table.count[start : start + len(scores), None] - 1 - torch.arange(own.shape[1], device=own.device)
    precision, before = (hit + 1) / (ranks + 1.0).double(), hit / ranks.clamp(min=1).double()
    before = torch.where(ranks == 0, 1.0, before)
    count = real.sum(dim=1)
    trapezoid = ((precision + before) / 2 * real).sum(dim=1) / count
    first = ranks.gather(1, count[:, None] - 1)[:, 0]
    return first, trapezoid, (precision * real).sum(dim=1) / count


def _larger(values: Tensor, bounds: Tensor) -> Tensor:
    """How many of each row's values [Q, N] are larger than each of its ascending bounds [Q, P]."""
    if bounds.shape[1] == 1:
        return (values > bounds).sum(dim=1, keepdim=True)
    width = bounds.shape[1] + 1
    passed = torch.searchsorted(bounds, values)
    passed += width * torch.arange(len(values), device=values.device)[:, None]
    histogram = torch.bincount(passed.flatten(), minlength=width * len(values)).reshape(-1, width)
    return histogram.flip(1).cumsum(1).flip(1)[:, 1:]


def _check(queries: Tensor, query_labels: Tensor, gallery: Tensor, gallery_labels: Tensor) -> None:
    if not len(queries):
        raise TrainingError("the query set is empty: nothing to rank")
    if queries.shape[1] != gallery.shape[1]:
        raise TrainingError(
            f"queries have {queries.shape[1]} dimensions and the gallery {gallery.shape[1]}; embed both with one model"
        )
    if len(queries) != len(query_labels) or len(gallery) != len(gallery_labels):
        raise TrainingError("there must be one label for each query and for each image of the gallery")
    check_finite(queries, gallery)


def check_finite(*embeddings: Tensor) -> None:
    """Raise TrainingError where embeddings hold a value that is not finite."""
    if not all(part.sum().isfinite() for part in embeddings):
        raise TrainingError("the embeddings hold values that are not finite; the weights are damaged or diverged")
