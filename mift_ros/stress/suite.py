"""Prepare and fly the scenarios, and judge what the localizer answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mift_ros.cache.reader import MapCache
from mift_ros.evaluation.bag import Bag
from mift_ros.evaluation.flight import Flight, FlightSample
from mift_ros.evaluation.record_files import write_records
from mift_ros.evaluation.records import FrameRecord
from mift_ros.evaluation.replay import Locates, judge
from mift_ros.evaluation.stretches import Stretch, StretchFigures, figures_of, split
from mift_ros.inference.embedder import Embedder
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.localizer import Localizer
from mift_ros.simulation.flight import simulate
from mift_ros.stress.grounds import GROUNDS, GroundFiles, prepare_ground
from mift_ros.stress.scenario import Scenario

CRASHED = "exception"
"""Reason of a frame on which the localizer raised; never one of its own."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True)
class Outcome:
    """What came of a scenario: every frame, the figures of its stretches and of the whole, in that order."""

    scenario: Scenario
    records: list[FrameRecord]
    stretches: list[StretchFigures]
    whole: StretchFigures

    @property
    def exceptions(self) -> list[str]:
        """What the localizer raised, frame by frame."""
        return [record.detail for record in self.records if record.reason == CRASHED]


@dataclass(frozen=True)
class Suite:
    """Where the suite keeps its files, the model that it flies with and the localizer's parameters."""

    folder: Path
    embedder: Embedder
    config: LocalizerConfig

    def prepare(self, scenario: Scenario, progress: Progress) -> tuple[GroundFiles, Path]:
        """The ground, its cache and the bag of a scenario; what is there already is taken.

        Raises:
            MiftError: one of them cannot be made.
        """
        folder = self.folder / "grounds" / scenario.ground
        ground = prepare_ground(GROUNDS[scenario.ground], folder, self.embedder, progress)
        bag = self.folder / "bags" / f"{scenario.name}-{scenario.digest}"
        if not bag.exists():
            world = ground.world
            simulate(
                world.look, bag, scenario.plan, world.look, world.heights,
                lambda done, n: progress(f"{scenario.name}: flight", done, n),
            )  # fmt: skip
        return ground, bag

    def fly(self, scenario: Scenario, progress: Progress) -> Outcome:
        """Replay one scenario through a new localizer and keep every frame in records/NAME.jsonl."""
        ground, bag = self.prepare(scenario, progress)
        localizer = Localizer(MapCache.open(ground.cache, self.embedder.identity), self.embedder, self.config)
        flight = Flight(Bag(bag), self.config)
        records = []
        for sample in flight.samples():
            records.append(_answer(sample, localizer))
            progress(f"{scenario.name}: replay", len(records), flight.bag.frames)
        outcome = judged(scenario, records)
        folder = self.folder / "records"
        folder.mkdir(parents=True, exist_ok=True)
        write_records(folder / f"{scenario.name}.jsonl", records)
        return outcome


def judged(scenario: Scenario, records: Sequence[FrameRecord]) -> Outcome:
    """The figures of a flown scenario."""
    stretches = scenario.stretches
    parts = split(records, stretches)
    whole = Stretch("whole flight", stretches[0].start_ns, stretches[-1].end_ns, False)
    return Outcome(
        scenario, list(records), [figures_of(s, part) for s, part in zip(stretches, parts)], figures_of(whole, records)
    )


def _answer(sample: FlightSample, localizer: Locates) -> FrameRecord:
    """The record of one exposure; an exception is a finding of the suite, not its end."""
    try:
        return judge(sample, localizer)
    except Exception as error:
        detail = f"{type(error).__name__}: {error}"
        return FrameRecord(sample.stamp_ns, sample.truth, reason=CRASHED, detail=detail)
