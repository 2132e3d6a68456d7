"""What a calibration is fitted to: every frame alone, as it is and where it cannot match."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mift_ros.cache.reader import MapCache
from mift_ros.errors import BagError
from mift_ros.evaluation.flight import Flight, FlightSample
from mift_ros.evaluation.records import Truth
from mift_ros.files import write_file
from mift_ros.geometry.frames import wrap_deg
from mift_ros.inference.embedder import Embedder
from mift_ros.localization.covariance import ErrorSources
from mift_ros.localization.localizer import Localizer
from mift_ros.localization.types import Frame, Match, Result, Telemetry

logger = logging.getLogger(__name__)
NAN = math.nan
TEMPERATURES = tuple(float(t) for t in np.geomspace(0.005, 0.3, 28))
"""Temperatures at which the likelihood of the true tile is kept."""
TURN_DEG = (50.0, 310.0)
"""A heading wrong by an amount between these cannot match."""
AS_FLOWN, TURNED, ELSEWHERE = "as flown", "turned", "elsewhere"
FALSE_HEADINGS = 16
"""Headings at which each frame is matched that is only to show wrong matches."""


@dataclass(frozen=True)
class Sample:
    """One frame, matched with nothing known but its telemetry.

    `kind` says whether it was matched as flown, with a false heading, or on a map of other ground. `error_m` (east,
    north), `heading_error_deg` and `height_ratio` (matched over measured height) are of the best place, `places` are
    (distance from the truth in metres, significance) of all that were compared; a distance is infinite where nothing
    can be right. `tile_share` is the softmax of the true tile among all `tiles`, per temperature, `tile_rank` the share
    of them that resemble the image more. `ground` names the map, since errors on one ground are alike.
    """

    flight: str
    kind: str
    stamp_ns: int
    error_m: tuple[float, float]
    heading_error_deg: float
    height_ratio: float
    places: tuple[tuple[float, float], ...]
    sources: ErrorSources
    tile_share: tuple[float, ...] = ()
    tiles: int = 0
    tile_rank: float = NAN
    ground: str = ""

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self), default=lambda array: array.tolist())

    @classmethod
    def from_json(cls, line: str) -> Sample:
        """Parse to_json's line."""
        raw: dict[str, Any] = json.loads(line)
        sources = raw.pop("sources")
        for name in ("sharpness", "drift_m"):
            sources[name] = np.array(sources[name])
        for name in ("offset_m", "slope", "pull_m"):
            sources[name] = tuple(sources[name])
        raw["places"] = tuple((float(d), float(s)) for d, s in raw["places"])
        raw["error_m"], raw["tile_share"] = tuple(raw["error_m"]), tuple(raw["tile_share"])
        return cls(sources=ErrorSources(**sources), **raw)


class Sampler:
    """Matches every frame of a flight by itself, and some of them where they cannot match.

    `localizer` is over the flight's own map, `elsewhere` over maps of other ground; one frame in `wrong_every` is also
    matched turned, and on one of those maps. Turned it is matched at its false heading alone, whatever the localizer
    does with a heading: among all of them it would find the right place.
    """

    def __init__(
        self, localizer: Localizer, embedder: Embedder, elsewhere: list[Localizer], wrong_every: int = 3
    ) -> None:
        self._localizer, self._embedder, self._elsewhere = localizer, embedder, elsewhere
        self._wrong_every = wrong_every
        config, self._turned = localizer.config, localizer
        if not config.use_heading:
            self._turned = Localizer(localizer.cache, embedder, replace(config, use_heading=True))

    def samples(self, flight: Flight) -> Iterator[list[Sample]]:
        """The samples of each frame, none of a frame that never came to a match.

        Raises:
            BagError: the flight has no truth, or none over the map.
        """
        name, judged = flight.bag.path.name, 0
        for index, sample in enumerate(flight.samples()):
            if sample.frame is None or sample.truth is None or not _over(self._localizer.cache, sample.truth):
                yield []
                continue
            judged += 1
            yield list(self._of_frame(name, index, sample, sample.frame, sample.truth))
        if not judged:
            raise BagError(f"{flight.bag.path}: no frame with a truth over {self._localizer.cache.path}")

    def wrong_samples(self, flight: Flight) -> Iterator[list[Sample]]:
        """Each frame with FALSE_HEADINGS false headings; its truth need not be known.

        Raises:
            BagError: no frame has a heading.
        """
        name, found = flight.bag.path.name, False
        for sample in flight.samples():
            heading_deg = sample.telemetry.heading_deg
            if sample.frame is None or not math.isfinite(heading_deg):
                yield []
                continue
            found = True
            turned = [
                replace(sample.telemetry, heading_deg=(heading_deg + turn) % 360.0, prior=None)
                for turn in np.linspace(*TURN_DEG, FALSE_HEADINGS)
            ]
            results = [_alone(self._turned, sample.frame, telemetry) for telemetry in turned]
            yield [_wrong(name, TURNED, result, result.match) for result in results if result.match is not None]
        if not found:
            raise BagError(f"{flight.bag.path}: no frame has a heading that could be made false")

    def _of_frame(self, name: str, index: int, sample: FlightSample, frame: Frame, truth: Truth) -> Iterator[Sample]:
        result = _alone(self._localizer, frame, sample.telemetry)
        if result.match is not None:
            yield self._as_flown(name, result, result.match, sample.telemetry, truth)
        if index % self._wrong_every:
            return
        rng = np.random.default_rng(sample.stamp_ns % 2**32)
        turned = replace(
            sample.telemetry, heading_deg=(sample.telemetry.heading_deg + rng.uniform(*TURN_DEG)) % 360.0, prior=None
        )
        wrong = [(TURNED, self._turned, turned)] if math.isfinite(turned.heading_deg) else []
        if self._elsewhere:
            other = self._elsewhere[index // self._wrong_every % len(self._elsewhere)]
            wrong.append((ELSEWHERE, other, replace(sample.telemetry, prior=None)))
        for kind, localizer, telemetry in wrong:
            result = _alone(localizer, frame, telemetry)
            if result.match is not None:
                yield _wrong(name, kind, result, result.match)

    def _as_flown(self, name: str, result: Result, match: Match, telemetry: Telemetry, truth: Truth) -> Sample:
        here = self._localizer.cache.frame.to_local(truth.lat_deg, truth.lon_deg)
        best = match.places[0]
        heading_deg = self._localizer.cache.frame.true_heading_deg(best.heading_deg, truth.lat_deg, truth.lon_deg)
        shares, rank = self._tile_share(match, here)
        return Sample(
            name, AS_FLOWN, result.stamp_ns, (best.east_m - float(here[0]), best.north_m - float(here[1])),
            wrap_deg(heading_deg - truth.heading_deg), match.height_agl_m / telemetry.height_agl_m,
            tuple((math.dist(here, (p.east_m, p.north_m)), p.significance) for p in match.places), match.sources,
            shares, len(self._localizer.cache), rank,
        )  # fmt: skip

    def _tile_share(self, match: Match, here: npt.NDArray[np.float64]) -> tuple[tuple[float, ...], float]:
        """Softmax at the tile nearest to the ground that was really seen, and the share of tiles beyond it."""
        cosine = self._localizer.search.cosine(self._embedder.embed(match.patch[None]))[0].astype(np.float64)
        seen = here + np.array(match.sources.offset_m)
        true = int(((self._localizer.cache.centres_m - seen) ** 2).sum(axis=1).argmin())
        below = cosine - cosine.max()
        shares = tuple(float(np.exp(below[true] / t) / np.exp(below / t).sum()) for t in TEMPERATURES)
        return shares, float((below > below[true]).mean())


def _over(cache: MapCache, truth: Truth) -> bool:
    west, south, east, north = cache.manifest.bounds_deg
    return bool((truth.lon_deg - west) % 360.0 <= (east - west) % 360.0 and south <= truth.lat_deg <= north)


def _alone(localizer: Localizer, frame: Frame, telemetry: Telemetry) -> Result:
    """As if nothing had been before."""
    localizer.reset()
    return localizer.locate(frame, telemetry)


def _wrong(name: str, kind: str, result: Result, match: Match) -> Sample:
    places = tuple((math.inf, p.significance) for p in match.places)
    return Sample(name, kind, result.stamp_ns, (NAN, NAN), NAN, NAN, places, match.sources)


def kept_samples(path: Path, origin: str, make: Callable[[], Iterable[list[Sample]]]) -> Iterator[list[Sample]]:
    """The samples of one flight from a file whose first line is `origin`, else made and kept in it."""
    if (kept := _read_kept(path, origin)) is not None:
        yield kept
        return
    found = []
    for some in make():
        found += some
        yield some
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, "\n".join([origin, *(sample.to_json() for sample in found)]) + "\n")


def _read_kept(path: Path, origin: str) -> list[Sample] | None:
    """The samples in a file, None without one of this origin; one that is damaged is told, and is none."""
    if not path.is_file():
        return None
    try:
        first, *lines = path.read_text(encoding="utf-8").splitlines()
        return [Sample.from_json(line) for line in lines] if first == origin else None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        logger.warning("%s: damaged (%s); the samples of this flight are made again", path, error)
        return None
