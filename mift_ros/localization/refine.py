"""Verify candidate places by structural correlation: coarse over all of them, then fine, to metres, over the best."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from mift_ros.cache.reader import MapCache
from mift_ros.geometry.rectify import GroundView
from mift_ros.localization import structure
from mift_ros.localization.chance import Chance, Noise
from mift_ros.localization.peak import Line, Probe, no_line, peak_of
from mift_ros.localization.places import SAME_PLACE_M, Alignment, Candidate, distinct, promising, thinned
from mift_ros.localization.windows import map_window

COARSE_GSD_M = 3.0
"""Of 11 real photos the true place is among the best 8 of 100 as often as at 2 m, in half the time; not so at 4 m."""
PORTION = 20
"""Candidates that are verified before it is asked whether one stands out."""
STANDS_OUT = 1.35
"""No more candidates are verified when the best place scores so many times what the next one does. Of 44 frames
30 right matches did so among the first PORTION, of 275 whose place was not there 5 (docs/localization.md)."""
SCALED = 32
"""Candidates that are tried in other scales at most, the best by heading alone."""
FINE_CANDIDATES = 8
TUNED = 4
"""Places, the best at the closer resolution, that are tried in half steps too: on those photos the best was one."""
CLOSER_GSD_M = 2.0
"""At 3 m the place is right more often than the heading and the scale: all poses of the best are tried again."""
CLOSER_REACH_M = 16.0
FINE_REACH_M = 8.0
"""Distances searched about the match before: what its resolution and its step of pose leave open."""
POLISHED = 2
"""The best place, and a promising rival so that their scores can be compared."""
POLISH_STEPS = (0.25, 0.125)
"""Shares of the steps in heading and scale that are tried last, each from the best so far."""
SHARP_PX = 0.35
"""Smoothing that is next to none. Edges that only one of two pictures has, above all shadows under another sun, pull
the best place towards themselves, as far as smoothing blurs them into the edges that both have."""
SEEN_OF_PULL = 0.5
"""Share of the pull that goes with the smoothing: 0.45 to 0.65 over made-up grounds, at 1 m per pixel."""
PULL_REACH_PX = 2
"""A maximum further from the smooth one is another one."""
STEPS = (-1, 0, 1)
SAME_DEG = 6
"""Decimals of a degree to which headings are the same template: they are reached from several sides."""
SEARCHED_PX = 16
"""Shifts of most searches: a template fills the transform that this many of them need anyway."""
Pose = tuple[int, float, float, float]
"""View, heading_deg, scale and gsd_m of a template."""


@dataclass(frozen=True)
class _Ground:
    """Map ground about a centre, ready to be correlated with templates of one size in transforms of one side."""

    spectra: structure.Window
    side: int
    size: int
    centre_m: tuple[float, float]
    gsd_m: float
    smoothing_px: float

    def probe(self, field: structure.Field, at: tuple[int, int] | None = None) -> Probe:
        """Where in the map the best of all shifts, or the one at (row, column), puts the centre of the template."""
        dx, dy, score = structure.subpixel_peak(field, at)
        mid = (len(field) - 1) / 2
        return Probe(self.centre_m[0] + (dx - mid) * self.gsd_m, self.centre_m[1] - (dy - mid) * self.gsd_m, score)


class _Tried(NamedTuple):
    """A pose and where it matches best."""

    heading_deg: float
    scale: float
    probe: Probe


class Refiner:
    """Aligns the ground views of one frame; candidates of the same view, heading and scale share templates."""

    def __init__(
        self, cache: MapCache, views: Sequence[GroundView], heading_step_deg: float, scale_step: float, chance: Chance
    ) -> None:
        self._cache = cache
        self._chance = chance
        self._views = views
        self._heading_step_deg = heading_step_deg
        self._scale_step = scale_step
        self._grey = [replace(v, rgb=np.asarray(cv2.cvtColor(v.rgb, cv2.COLOR_RGB2GRAY), np.uint8)) for v in views]
        self._extents_m = [math.sqrt(cv2.countNonZero(v.valid)) * v.gsd_m for v in views]
        self._templates: dict[tuple[int, float, float, float, int, float], structure.Template] = {}

    def refine(self, candidates: Sequence[Candidate], radius_m: float, expected: int = 0) -> list[Alignment]:
        """Alignments of distinct places, best first; empty when no candidate has a map around it.

        The first `expected` candidates are aligned to metres whatever their coarse score is.
        """
        awaited = candidates[:expected]
        origin = self._coarse(candidates, radius_m, awaited)
        promised = [a for a, c in origin.items() if c in awaited]
        ranked = distinct(sorted(origin, key=self._rating, reverse=True), SAME_PLACE_M / 2)
        coarse = promising(list(islice(ranked, FINE_CANDIDATES)), self._rating)
        coarse = list(distinct([*coarse, *promised], SAME_PLACE_M / 2))
        closer = [(self._again(origin[a], a), a in promised) for a in coarse]
        places = list(distinct(sorted(self._fine(closer), key=self._rating, reverse=True), SAME_PLACE_M))
        close = promising(places, self._rating, 1)[:POLISHED]
        return sorted([*map(self.polished, close), *places[len(close) :]], key=self._rating, reverse=True)

    def _rating(self, alignment: Alignment) -> float:
        """The score in a unit of all views alike: by chance one scores the more the less ground it shows."""
        return alignment.score * self._extents_m[alignment.view]

    @property
    def _fine_gsd(self) -> float:
        return self._cache.manifest.raster_gsd_m

    def _coarse(
        self, candidates: Sequence[Candidate], radius_m: float, awaited: Sequence[Candidate]
    ) -> dict[Alignment, Candidate]:
        """Where each candidate with a map around it matches, and from where it came, until one stands out.

        All are tried in all headings; the best of them, and the awaited ones, in the other scales too. These may match
        at a second place beside the first: of two alike, the right one need not be the better at this resolution.
        """
        grounds, turned = self._turned(candidates, radius_m)

        def rating(candidate: Candidate) -> float:
            return self._rating(turned[candidate])

        close = promising(sorted(turned, key=rating, reverse=True), rating)[:SCALED]
        found = {c: [best] for c, best in turned.items()}
        for c in {*close, *awaited} & grounds.keys():
            tried = self._best_two(grounds[c], c.view, self._neighbours(c, 1.0))
            found[c] = [self._aligned(grounds[c], c.view, *pose) for pose in tried]
        return {alignment: c for c, places in found.items() for alignment in places}

    def _turned(
        self, candidates: Sequence[Candidate], radius_m: float
    ) -> tuple[dict[Candidate, _Ground], dict[Candidate, Alignment]]:
        """Ground of the candidates that have any, and their best heading, portion by portion until one stands out."""
        gsd_m = max(COARSE_GSD_M, self._fine_gsd)
        grounds: dict[Candidate, _Ground] = {}
        turned: dict[Candidate, Alignment] = {}
        for count, c in enumerate(thinned(candidates, radius_m), start=1):
            ground = self._ground(c, radius_m, gsd_m)
            if ground is not None:
                best = self._best(ground, c.view, self._neighbours(c, 1.0, 0.0))
                grounds[c], turned[c] = ground, self._aligned(ground, c.view, *best)
            if count % PORTION == 0 and self._stands_out(turned.values()):
                break
        return grounds, turned

    def _stands_out(self, alignments: Iterable[Alignment]) -> bool:
        """Whether one place scores so much more than any other that it is not worth while to verify more."""
        places = distinct(sorted(alignments, key=self._rating, reverse=True), SAME_PLACE_M)
        best, rival = (self._rating(place) if place else 0.0 for place in (next(places, None), next(places, None)))
        return best > STANDS_OUT * rival

    def _fine(self, places: Sequence[tuple[Alignment, bool]]) -> list[Alignment]:
        """Places aligned to metres, the best and the promised ones (True) in half steps of the pose too."""

        def rating(place: tuple[Alignment, bool]) -> float:
            return self._rating(place[0])

        ranked = sorted(places, key=rating, reverse=True)
        close = promising(ranked, rating)
        ranked = [*close, *(place for place in ranked if place[1] and place not in close)]
        steps = [0.5 if k < TUNED or promised else 0.0 for k, (_, promised) in enumerate(ranked)]
        fine = [self._around(a, FINE_REACH_M, self._fine_gsd, step) for (a, _), step in zip(ranked, steps)]
        return [a for a in fine if a is not None]

    def _around(self, candidate: Candidate, radius_m: float, gsd_m: float, step: float) -> Alignment | None:
        """The best alignment within the radius over neighbouring headings and scales."""
        ground = self._ground(candidate, radius_m, max(gsd_m, self._fine_gsd))
        if ground is None:
            return None
        best = self._best(ground, candidate.view, self._neighbours(candidate, step))
        return self._aligned(ground, candidate.view, *best)

    def _best(self, ground: _Ground, view: int, poses: Sequence[tuple[float, float]]) -> _Tried:
        """The pose that matches best anywhere over the ground."""
        fields = [self._field(ground, view, *pose) for pose in poses]
        best = max(range(len(poses)), key=lambda k: float(fields[k].max()))
        return _Tried(*poses[best], ground.probe(fields[best]))

    def _best_two(self, ground: _Ground, view: int, poses: Sequence[tuple[float, float]]) -> list[_Tried]:
        """The pose that matches best over the ground, and the one that does so elsewhere on it."""
        fields = np.stack([self._field(ground, view, *pose) for pose in poses])
        first, y, x = (int(k) for k in np.unravel_index(fields.argmax(), fields.shape))
        best = _Tried(*poses[first], ground.probe(fields[first]))
        rows, columns = np.indices(fields.shape[1:])
        far = np.hypot(rows - y, columns - x) * ground.gsd_m >= SAME_PLACE_M / 2
        second, y, x = (int(k) for k in np.unravel_index(np.where(far, fields, -1.0).argmax(), fields.shape))
        elsewhere = ground.probe(fields[second], (y, x))
        return [best, _Tried(*poses[second], elsewhere)] if elsewhere.score > 0 else [best]

    def _again(self, candidate: Candidate, found: Alignment) -> Alignment:
        """All poses of a candidate, closer, about the place where it matched."""
        there = replace(candidate, centre_m=found.centre_m)
        return self._around(there, CLOSER_REACH_M, CLOSER_GSD_M, 1.0) or found

    def near(self, candidate: Candidate) -> Alignment | None:
        """The best alignment within a few metres of a place that is known to be about right, None off the map."""
        found = self._around(candidate, FINE_REACH_M, self._fine_gsd, 0.5)
        return None if found is None else self.polished(found)

    def polished(self, found: Alignment) -> Alignment:
        """The same alignment after the last fractions of a step in heading and scale, with the shape of its peak.

        Its score is the best of all poses that were tried, so it never falls; its place is free of the pull.
        """
        if found.peak is not None:
            return found
        ground = self._ground(found, FINE_REACH_M, self._fine_gsd)
        if ground is None:
            return found
        here = _Tried(found.heading_deg, found.scale, Probe(*found.centre_m, found.score))
        for share in POLISH_STEPS:
            turns, here = self._line(ground, found.view, here, share * self._heading_step_deg, 0.0)
            sizes, here = self._line(ground, found.view, here, 0.0, share * self._scale_step)
        field = self._field(ground, found.view, here.heading_deg, here.scale)
        better = self._aligned(ground, found.view, *here)
        east_m, north_m = self._pull_m(better)
        peak = replace(peak_of(field, ground.gsd_m, turns.in_radians(), sizes), pull_m=(east_m, north_m))
        centre = (better.centre_m[0] - east_m / SEEN_OF_PULL, better.centre_m[1] - north_m / SEEN_OF_PULL)
        return replace(better, centre_m=centre, peak=peak)

    def _pull_m(self, found: Alignment) -> tuple[float, float]:
        """From the best place with hardly any smoothing to that with the usual one, east and north."""
        ground = self._ground(found, PULL_REACH_PX * self._fine_gsd, self._fine_gsd, SHARP_PX)
        if ground is None:
            return 0.0, 0.0
        sharp = ground.probe(self._field(ground, found.view, found.heading_deg, found.scale))
        return found.centre_m[0] - sharp.east_m, found.centre_m[1] - sharp.north_m

    def _line(self, ground: _Ground, view: int, here: _Tried, turn_deg: float, growth: float) -> tuple[Line, _Tried]:
        """Probes on both sides along heading or scale, and the best of them and of the parabola through them.

        An unknown that is not searched, with a step of 0, has no line.
        """
        step = turn_deg + growth
        if step == 0:
            return no_line(here.probe), here

        def at(share: float) -> _Tried:
            pose = ((here.heading_deg + share * turn_deg) % 360.0, here.scale * (1 + share * growth))
            return _Tried(*pose, ground.probe(self._field(ground, view, *pose)))

        low, high = at(-1.0), at(1.0)
        line = Line(low.probe, here.probe, high.probe, step)
        between = [at(line.best / step)] if abs(line.best) < step else []
        return line, max([here, low, high, *between], key=lambda tried: tried.probe.score)

    def _ground(
        self, candidate: Candidate, radius_m: float, gsd_m: float, smoothing_px: float = structure.SMOOTHING_PX
    ) -> _Ground | None:
        """The map about a candidate, None where there is hardly any."""
        size = self._template_pixels(candidate.view, gsd_m)
        window = size + 2 * max(math.ceil(radius_m / gsd_m), 1)
        grey = map_window(self._cache, candidate.centre_m, window, gsd_m)
        if cv2.countNonZero(grey) < 0.5 * grey.size:
            return None
        side = structure.transform_size(size, window)
        spectra = structure.make_window(grey, side, smoothing_px)
        return _Ground(spectra, side, size, candidate.centre_m, gsd_m, smoothing_px)

    def _field(self, ground: _Ground, view: int, heading_deg: float, scale: float) -> structure.Field:
        """Scores of one pose at every shift over the ground."""
        pose = (view, heading_deg, scale, ground.gsd_m)
        template = self._template(pose, ground.size, ground.side, ground.smoothing_px)
        return structure.correlate(template, ground.spectra)

    def _aligned(self, ground: _Ground, view: int, heading_deg: float, scale: float, probe: Probe) -> Alignment:
        template = self._template((view, heading_deg, scale, ground.gsd_m), ground.size, ground.side)
        centre = (probe.east_m, probe.north_m)
        return Alignment(view, centre, heading_deg, scale, probe.score, template.pixels)

    def _neighbours(
        self, candidate: Candidate, step: float, scale_step: float | None = None
    ) -> list[tuple[float, float]]:
        turn = step * self._heading_step_deg
        growth = (1 + self._scale_step) ** (step if scale_step is None else scale_step)
        headings = [(candidate.heading_deg + k * turn) % 360.0 for k in (STEPS if turn else (0,))]
        scales = [candidate.scale * growth**k for k in (STEPS if growth != 1.0 else (0,))]
        return [(h, s) for h in headings for s in scales]

    def noise(self, alignment: Alignment) -> Noise:
        """What the view of an alignment scores at random places in its pose."""
        size = self._template_pixels(alignment.view, self._fine_gsd)
        key = (alignment.view, alignment.heading_deg, alignment.scale, self._fine_gsd)
        return self._chance.noise(self._template(key, size, self._chance.side(size)), alignment.centre_m)

    def extent_m(self, view: int) -> float:
        """Side of a view's templates."""
        return self._template_pixels(view, self._fine_gsd) * self._fine_gsd

    def patch(
        self, alignment: Alignment, pixels: int, gsd_m: float
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        """The grey view as it was aligned, north up, and its validity."""
        return self._grey[alignment.view].patch(alignment.heading_deg, pixels, gsd_m, alignment.scale)

    def _template_pixels(self, view: int, gsd_m: float) -> int:
        """Side of the template, the same for all headings, scales and most frames, so that windows are shared."""
        extent_m = len(self._views[view].rgb) * self._views[view].gsd_m
        least = math.ceil(extent_m * (1 + self._scale_step) / gsd_m)
        return structure.transform_size(least, least + SEARCHED_PX) - SEARCHED_PX

    def _template(
        self, pose: Pose, size: int, side: int, smoothing_px: float = structure.SMOOTHING_PX
    ) -> structure.Template:
        view, heading_deg, scale, gsd_m = pose
        key = (view, round(heading_deg, SAME_DEG), scale, gsd_m, side, smoothing_px)
        if key not in self._templates:
            grey, valid = self._grey[view].patch(heading_deg, size, gsd_m, scale)
            clutter = self._chance.clutter(gsd_m)
            # the waves of clutter are those of the usual smoothing
            weight = clutter.weight(side) if smoothing_px == structure.SMOOTHING_PX else None
            self._templates[key] = structure.make_template(grey, valid, side, clutter.texture, smoothing_px, weight)
        return self._templates[key]
