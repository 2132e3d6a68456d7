"""Places to verify and where they match, and which of them are one place."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from mift_ros.localization.peak import Peak

SAME_PLACE_M = 30.0
"""Two alignments nearer than this are the same place: the lead is over the best one further away."""
COVERED = 0.5
"""Share of the search radius within which a better candidate stands for another one too."""
PROMISING = 0.7
"""Share of the best score that a place needs to be looked at closer."""
LEAST_PLACES = 2
"""That are looked at closer in any case: the best, and a rival for it to lead."""
T = TypeVar("T")


@dataclass(frozen=True)
class Candidate:
    """A place to verify: the centre of ground view `view` in the map frame, with heading and scale hypotheses."""

    view: int
    centre_m: tuple[float, float]
    heading_deg: float
    scale: float


@dataclass(frozen=True)
class Alignment(Candidate):
    """A candidate drawn to where it matches best; `score` in [-1, 1], `inliers` the pixels that were compared.

    `peak` is how the match falls off, for the first of several.
    """

    score: float
    inliers: int
    peak: Peak | None = None


def thinned(candidates: Iterable[Candidate], radius_m: float) -> Iterator[Candidate]:
    """The candidates but those well inside the search area of a better one of the same heading and scale."""
    kept: dict[tuple[int, float, float], list[Candidate]] = {}
    for c in candidates:
        same = kept.setdefault((c.view, c.heading_deg, c.scale), [])
        if all(_apart(k.centre_m, c.centre_m) > COVERED * radius_m for k in same):
            same.append(c)
            yield c


def _apart(a: tuple[float, float], b: tuple[float, float]) -> float:
    """The longer leg between two points: windows are squares."""
    return max(abs(a[0] - b[0]), abs(a[1] - b[1]))


def promising(ranked: Sequence[T], score: Callable[[T], float], least: int = LEAST_PLACES) -> list[T]:
    """Those of the places, best first, that are not much worse than the best, and so many in any case."""
    return [place for k, place in enumerate(ranked) if k < least or score(place) >= PROMISING * score(ranked[0])]


def distinct(alignments: Iterable[Alignment], radius_m: float) -> Iterator[Alignment]:
    """The alignments that are further than the radius from every better one (they come best first)."""
    kept: list[Alignment] = []
    for a in alignments:
        if all(math.dist(a.centre_m, k.centre_m) > radius_m for k in kept):
            kept.append(a)
            yield a
