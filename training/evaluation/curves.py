"""Recall of the right tile on held-out places, over what the localizer may have wrong and over the gallery's size."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import numpy.typing as npt

from training.data.orthophotos.imagery import Imagery
from training.evaluation.conditions import HEADING_ERRORS_DEG, SCALE_ERRORS, SIDES_M, Error, HeldOut, held_out
from training.evaluation.matchers import Matcher
from training.evaluation.signals import auroc, signals
from training.recipes.data_schema import ViewsSpec

Ranks = npt.NDArray[np.int64]
Pixels = npt.NDArray[np.uint8]
Step = Callable[[], None]
"""Called once for every method and condition that is done."""

KS = (1, 5)
GALLERY_SIZES = (100, 200, 400, 800, 1600)
AS_DRAWN = Error()


@dataclass(frozen=True)
class Plan:
    """What is measured: queries of each condition, tiles they are looked for among, side of a tile, seed."""

    queries: int = 300
    tiles: int = 600
    side_m: float = 72.0
    seed: int = 1

    @property
    def conditions(self) -> int:
        """Times that each method is run."""
        return 1 + len(HEADING_ERRORS_DEG) + len(SCALE_ERRORS) + len(SIDES_M)


@dataclass
class Curve:
    """Recall over one quantity. recall: by method and k, one share for each x; note: what else holds."""

    name: str
    axis: str
    x: list[float]
    note: str
    recall: dict[str, dict[int, list[float]]] = field(default_factory=dict)

    def add(self, method: str, each: Sequence[Callable[[int], float]]) -> None:
        """The recall at k of each x, of one method."""
        self.recall[method] = {k: [recall_at(k) for recall_at in each] for k in KS}


def own_ranks(scores: npt.NDArray[np.float32]) -> Ranks:
    """Rank of tile i for query i, 0 is best, of scores [Q, N], Q <= N; equal scores count against it."""
    rows = np.arange(len(scores))
    own = scores[rows, rows].copy()
    return np.asarray((scores >= own[:, None]).sum(axis=1) - 1, np.int64)


def recall_among(ranks: Ranks, tiles: int, gallery: int, k: int) -> float:
    """Recall at k expected where the own tile lies among gallery - 1 others, drawn from the tiles - 1 there are.

    The number of better ones among those drawn is hypergeometric, so no gallery has to be drawn.
    """
    values, counts = np.unique(ranks, return_counts=True)
    shares = [sum(_drawn(int(rank), tiles - 1, gallery - 1, better) for better in range(k)) for rank in values]
    return float(np.dot(shares, counts) / len(ranks))


def _drawn(better: int, others: int, draws: int, found: int) -> float:
    """Probability that `found` of `better` items are among `draws` of `others`."""
    if found > min(better, draws) or draws - found > others - better:
        return 0.0
    return math.comb(better, found) * math.comb(others - better, draws - found) / math.comb(others, draws)


class Measurement:
    """Runs every method over the same views; the curves are filled as it goes."""

    def __init__(self, matchers: Sequence[Matcher], images: Sequence[Imagery], views: ViewsSpec, plan: Plan) -> None:
        """Raises TrainingError where nothing is held out."""
        self._matchers, self._plan = matchers, plan
        self._base = held_out(images, views, plan.side_m, plan.seed)
        self._by_side = {side: held_out(images, views, side, plan.seed, fine=True) for side in SIDES_M}
        self._all = len(self._base.places)
        self.queries = min(plan.queries, self._all)
        self.tiles = min(plan.tiles, self._all)
        self._last_cpu_s = math.nan
        self.ranks: dict[str, Ranks] = {}
        """Of each method among all tiles, with framing errors as the recipe draws them."""
        self.auroc: dict[str, dict[str, float]] = {}
        """Of each method: how well each of training.evaluation.signals tells the queries whose own tile is first."""
        self.cpu_s: dict[str, float] = {}
        """Of each method: processor seconds of one query among `tiles` tiles that it has seen before."""

    def by_group(self) -> dict[int, npt.NDArray[np.bool_]]:
        """Which queries [Q] are of each group of the imagery."""
        groups = np.array([self._base.images[place.image].group for place in self._base.places[: self.queries]])
        return {int(group): groups == group for group in np.unique(groups)}

    def distractors(self, size: int) -> Pixels:
        """Tiles of the held-out places, to be added to another gallery."""
        return self._base.tiles(self.tiles, size)

    def run(self, step: Step) -> list[Curve]:
        """All curves."""
        return [self._gallery(step), self._heading(step), self._scale(step), self._sides(step)]

    def _gallery(self, step: Step) -> Curve:
        sizes = [size for size in GALLERY_SIZES if size < self._all] + [self._all]
        note = f"{self.queries} queries framed as the recipe draws them"
        curve = Curve("gallery", "tiles in the gallery", [float(size) for size in sizes], note)
        tiles: dict[int, Pixels] = {}
        for matcher in self._matchers:
            scores = self._scores(matcher, self._base, AS_DRAWN, self._all, tiles)
            ranks = self.ranks[matcher.name] = own_ranks(scores)
            told = signals(scores, np.arange(len(scores)))
            self.auroc[matcher.name] = {name: auroc(signal, ranks < 1) for name, signal in told.items()}
            curve.add(matcher.name, [partial(recall_among, ranks, self._all, size) for size in sizes])
            step()
        return curve

    def _heading(self, step: Step) -> Curve:
        errors = [Error(heading_deg=error, scale=0.0) for error in HEADING_ERRORS_DEG]
        return self._over("heading", "heading error, deg", [*HEADING_ERRORS_DEG], errors, step)

    def _scale(self, step: Step) -> Curve:
        errors = [Error(heading_deg=0.0, scale=error) for error in SCALE_ERRORS]
        return self._over("scale", "scale error, %", [100.0 * error for error in SCALE_ERRORS], errors, step)

    def _over(self, name: str, axis: str, x: list[float], errors: Sequence[Error], step: Step) -> Curve:
        curve = Curve(name, axis, x, f"{self.queries} queries among {self.tiles} tiles of {self._plan.side_m:g} m")
        tiles: dict[int, Pixels] = {}
        for matcher in self._matchers:
            each, cpu_s = [], []
            for error in errors:
                ranks = own_ranks(self._scores(matcher, self._base, error, self.tiles, tiles))
                each.append(partial(recall_among, ranks, self.tiles, self.tiles))
                cpu_s.append(self._last_cpu_s / self.queries)
                step()
            curve.add(matcher.name, each)
            self.cpu_s[matcher.name] = statistics.median(cpu_s)
        return curve

    def _sides(self, step: Step) -> Curve:
        """On one ground and with one size of gallery: the largest tiles are few."""
        counts = {side: min(len(places.places), self._plan.tiles) for side, places in self._by_side.items()}
        common = min(counts.values())
        note = f"among {common} tiles, of the images fine enough for all sizes; framed as the recipe draws it"
        curve = Curve("side", "side of a tile, m", list(SIDES_M), note)
        for matcher in self._matchers:
            each = []
            for side, places in self._by_side.items():
                ranks = own_ranks(self._scores(matcher, places, AS_DRAWN, counts[side], {}))
                each.append(partial(recall_among, ranks, counts[side], common))
                step()
            curve.add(matcher.name, each)
        return curve

    def _scores(
        self, matcher: Matcher, places: HeldOut, error: Error, gallery: int, tiles: dict[int, Pixels]
    ) -> npt.NDArray[np.float32]:
        """Of the queries among the first `gallery` tiles; tiles: those already drawn, by the side of their images."""
        size = matcher.size
        if size not in tiles:
            tiles[size] = places.tiles(gallery, size)
        queries = places.queries(min(self.queries, gallery), size, error)
        started = time.process_time()
        scores = matcher.scores(queries, tiles[size])
        self._last_cpu_s = time.process_time() - started
        return scores
