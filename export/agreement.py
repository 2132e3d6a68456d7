"""Do two runtimes of the same weights find the same tiles? Cosine says how near, ranking whether it matters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MIN_TOP1 = 0.99
MIN_TOP5 = 0.90
"""Lower than for the first: neighbours of nearly the same score trade places by rounding alone."""
MAX_RECALL_LOSS = 0.01
MIN_COSINE_MEDIAN = 0.99
"""The least cosine is told and not limited: where two regions tie, rounding swaps them, in float16 as well."""
NORM_TOLERANCE = 1e-2
ROUNDING = 1e-9
"""Of shares: 99 of 100 is 0.99."""

Rows = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Embedded:
    """Unit vectors [N, D] of tiles, and of what a camera sees of each; query i shows tile i."""

    gallery: Rows
    queries: Rows

    def ranks(self, gallery: Rows) -> npt.NDArray[np.intp]:
        """The five best tiles of each query [N, 5], best first."""
        return np.argsort(-(self.queries @ gallery.T), axis=1, kind="stable")[:, :5]


LIMITS = {
    "top1": MIN_TOP1,
    "top5": MIN_TOP5,
    "recall1_loss": MAX_RECALL_LOSS,
    "recall1_loss_own": MAX_RECALL_LOSS,
    "cosine_median": MIN_COSINE_MEDIAN,
}


def agreement(reference: Embedded, model: Embedded) -> dict[str, float]:
    """Figures by name; `not_finite` embeddings, and nothing else, where there are any.

    top1, top5: the model's queries in the reference's gallery, as they are flown over its cache; share with the same
    best tile, and mean share of the reference's five best that are among the model's. With `_own`: in the gallery that
    the model embedded itself. recall1 is the share of queries whose best tile is theirs; recall1_loss what it lost.
    """
    ours, theirs = (np.concatenate([side.gallery, side.queries]) for side in (model, reference))
    norms = np.linalg.norm(ours, axis=1)
    finite = np.isfinite(norms) & np.isfinite(theirs).all(axis=1)
    if not finite.all():
        return {"not_finite": float((~finite).sum())}
    cosine = (ours * theirs).sum(axis=1)
    expected = reference.ranks(reference.gallery)
    figures = {
        "queries": float(len(expected)),
        "norm_error": float(np.abs(norms - 1.0).max()),
        "cosine_median": float(np.median(cosine)),
        "cosine_p1": float(np.quantile(cosine, 0.01)),
        "cosine_least": float(cosine.min()),
        "recall1_reference": _recall(expected),
    }
    for suffix, gallery in (("", reference.gallery), ("_own", model.gallery)):
        found = model.ranks(gallery)
        figures[f"top1{suffix}"] = float((found[:, 0] == expected[:, 0]).mean())
        figures[f"top5{suffix}"] = float((found[:, :, None] == expected[:, None]).any(axis=1).mean())
        figures[f"recall1_loss{suffix}"] = figures["recall1_reference"] - _recall(found)
    return figures


def failures(figures: dict[str, float]) -> tuple[str, ...]:
    """What is beyond its limit, in words."""
    if "not_finite" in figures:
        return (f"{figures['not_finite']:.0f} embeddings are not finite",)
    told = []
    for name, limit in LIMITS.items():
        most = name.startswith("recall1_loss")
        if figures[name] > limit + ROUNDING if most else figures[name] < limit - ROUNDING:
            told.append(f"{name} {figures[name]:.4f}, {'at most' if most else 'at least'} {limit:g}")
    if figures["norm_error"] > NORM_TOLERANCE:
        told.append(f"embeddings off norm 1 by {figures['norm_error']:.3g}")
    return tuple(told)


def _recall(ranks: npt.NDArray[np.intp]) -> float:
    return float((ranks[:, 0] == np.arange(len(ranks))).mean())
