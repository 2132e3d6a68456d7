"""Replay a bag through the localizer, frame by frame, as the node would."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from mift_ros.evaluation.flight import Flight, FlightSample
from mift_ros.evaluation.records import FrameRecord, record_of
from mift_ros.localization.types import Frame, Reason, Result, Telemetry

DROPPED = "dropped"
"""Reason of a frame that the running node had no time for; the library takes every frame."""


class Locates(Protocol):
    """What is replayed: the Localizer."""

    def locate(self, frame: Frame, telemetry: Telemetry) -> Result:
        """Where the vehicle was at the exposure, or why that cannot be said."""
        ...


def replay(flight: Flight, localizer: Locates) -> Iterator[FrameRecord]:
    """One record per image of the bag, as they come."""
    for sample in flight.samples():
        yield judge(sample, localizer)


def judge(sample: FlightSample, localizer: Locates) -> FrameRecord:
    """The record of one exposure."""
    if sample.frame is None:
        return FrameRecord(sample.stamp_ns, sample.truth, reason=Reason.BAD_IMAGE.value, detail=sample.problem)
    return record_of(localizer.locate(sample.frame, sample.telemetry), sample.truth)


def with_truth(answers: list[FrameRecord], flight: Flight) -> list[FrameRecord]:
    """Answers of a running node, completed by the truth and by the frames that got none; in the order of stamps."""
    by_stamp = {answer.stamp_ns: answer for answer in answers}
    records = []
    for stamp_ns, truth in flight.truths():
        answer = by_stamp.get(stamp_ns)
        if answer is None:
            records.append(FrameRecord(stamp_ns, truth, reason=DROPPED, detail="no answer from the node"))
        else:
            records.append(FrameRecord(stamp_ns, truth, answer.fix, answer.reason, answer.detail, answer.latency_s))
    return records
