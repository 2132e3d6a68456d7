"""All methods in one run on the same frames."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from mift_ros.cache.reader import MapCache
from mift_ros.evaluation.flight import FlightSample
from mift_ros.evaluation.metrics import WGS84, percentile
from mift_ros.evaluation.peers.peer import Peer, PeerError, Point

NAN = math.nan
BEYOND_M = 30.0
"""A published position further off than this is counted."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Method:
    """A row of the comparison: what the method is given and publishes, and how to set it up."""

    name: str
    given: str
    build: Callable[[], Peer]


@dataclass(frozen=True)
class Answer:
    """One frame: whether a position was published, how far from the truth (NaN: either unknown), and what it took."""

    stamp_ns: int
    published: bool
    error_m: float
    wall_s: float
    cpu_s: float


@dataclass
class Outcome:
    """What a method did; `refusal` says why it could not be run at all."""

    method: Method
    answers: list[Answer] = field(default_factory=list)
    refusal: str = ""

    @property
    def published(self) -> int:
        """Frames with a position."""
        return sum(answer.published for answer in self.answers)

    @property
    def beyond(self) -> int:
        """Positions further than BEYOND_M from the truth."""
        return sum(answer.error_m > BEYOND_M for answer in self.answers)

    def error_m(self, share: float) -> float:
        """Percentile of the errors, NaN without any."""
        return percentile([answer.error_m for answer in self.answers], share)

    @property
    def wall_s(self) -> float:
        """Median seconds per frame."""
        return percentile([answer.wall_s for answer in self.answers], 50)

    @property
    def cpu_s(self) -> float:
        """Median seconds of processor time per frame, of all cores together."""
        return percentile([answer.cpu_s for answer in self.answers], 50)


def compare(
    rows: Iterable[Method], samples: Iterable[FlightSample], cache: MapCache, alone: bool, progress: Progress
) -> list[Outcome]:
    """Give every frame to every method, one method after the other, so that a busy machine slows all alike.

    `alone` makes them forget the frames before each. A frame whose image does not decode is published by none.
    """
    outcomes: list[Outcome] = []
    running: list[tuple[Outcome, Peer]] = []
    for row in rows:
        outcome = Outcome(row)
        outcomes.append(outcome)
        try:
            running.append((outcome, row.build()))
        except PeerError as refusal:
            outcome.refusal = str(refusal)
    for done, sample in enumerate(samples, 1):
        for outcome, peer in running:
            if alone:
                peer.reset()
            outcome.answers.append(_answer(peer, sample, cache))
        progress("comparing", done, 0)
    return outcomes


def _answer(peer: Peer, sample: FlightSample, cache: MapCache) -> Answer:
    if sample.frame is None:
        return Answer(sample.stamp_ns, False, NAN, NAN, NAN)
    wall, cpu = time.perf_counter(), time.process_time()
    found = peer.locate(sample.frame, sample.telemetry)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Answer(sample.stamp_ns, found is not None, _error_m(found, sample, cache), wall, cpu)


def _error_m(found: Point | None, sample: FlightSample, cache: MapCache) -> float:
    """Geodesic from the truth, NaN without either."""
    if found is None or sample.truth is None:
        return NAN
    lat, lon = cache.frame.to_geodetic(found)
    return float(WGS84.inv(sample.truth.lon_deg, sample.truth.lat_deg, lon, lat)[2])
