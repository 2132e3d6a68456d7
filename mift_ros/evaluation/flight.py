"""A recorded flight: frames with what the vehicle knew when they arrived, and the truth."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy.typing as npt

from mift_ros.conversion.camera_info import camera_from_info
from mift_ros.conversion.frame import frame_from_image
from mift_ros.conversion.stamp import NS, stamp_to_ns
from mift_ros.conversion.telemetry import feed_float_height, feed_imu, feed_odometry, feed_prior, feed_range
from mift_ros.errors import GeometryError, ImageError
from mift_ros.evaluation.bag import Bag
from mift_ros.evaluation.records import Truth
from mift_ros.evaluation.topics import Topics
from mift_ros.evaluation.truth import MAX_AGE_NS, TruthBuffer
from mift_ros.geometry.camera import NADIR_MOUNT
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.telemetry import TelemetryBuffer
from mift_ros.localization.types import Frame, Telemetry

FEEDS: dict[str, Callable[[TelemetryBuffer, Any], str | None]] = {
    "imu": feed_imu,
    "odometry": feed_odometry,
    "prior": feed_prior,
}
MOST_WAITING = 60
"""Frames held in memory until their truth comes: half a second of the fastest cameras."""
LATEST_NS = 10 * NS
"""An image arrives after its exposure, and not by more than this: else stamps and recording have two clocks."""


class FlightSample(NamedTuple):
    """One exposure: the frame, or None and the `problem` of an image that does not decode; telemetry; truth."""

    stamp_ns: int
    frame: Frame | None
    problem: str
    telemetry: Telemetry
    truth: Truth | None


class Flight:
    """Reads a bag once, a few messages in memory at a time.

    `notes` holds, by topic, how many telemetry messages were left out while reading and why the last one was.
    """

    def __init__(
        self,
        bag: Bag,
        config: LocalizerConfig | None = None,
        body_from_camera: npt.ArrayLike = NADIR_MOUNT,
        image_is_rectified: bool = False,
    ) -> None:
        """Telemetry is as old, and heights are measured along, as config says (None: the defaults)."""
        config = config or LocalizerConfig()
        self.bag = bag
        self.notes: dict[str, tuple[int, str]] = {}
        self._telemetry = TelemetryBuffer(config.max_telemetry_age_s, config.height_along_body)
        self._truth = TruthBuffer()
        info = next(message for _, _, message in bag.messages(["camera_info"]))
        _, log_ns, image = next(bag.messages(["image"]))
        self._apart_ns = _clocks_apart_ns(log_ns, stamp_to_ns(image.header.stamp))
        self._camera_of = partial(
            camera_from_info, body_from_camera=body_from_camera, image_is_rectified=image_is_rectified
        )
        self._camera = self._camera_of(info)

    def samples(self) -> Iterator[FlightSample]:
        """Every exposure in the order of arrival; telemetry is what had arrived before the image, as in flight.

        Raises:
            ImageError: the first image does not decode, so that none will.
        """
        for index, sample in enumerate(self._aligned(self._sample, self.bag.messages())):
            if index == 0 and sample.problem:
                raise ImageError(f"{self.bag.path}: {sample.problem}")
            yield sample

    def truths(self) -> Iterator[tuple[int, Truth | None]]:
        """Stamp and truth of every exposure; images are not decoded."""
        for sample in self._aligned(_unseen, self.bag.messages(["image", "truth"])):
            yield sample.stamp_ns, sample.truth

    def _aligned(
        self, sample: Callable[[Any], FlightSample], messages: Iterator[tuple[str, int, Any]]
    ) -> Iterator[FlightSample]:
        """Hold each sample until the truth on both sides of it has come, or no more can be.

        Only stamps are compared with stamps: a recording has its own clock, and under simulated time its own pace.
        """
        self._truth = TruthBuffer()  # a second reading starts from the beginning again
        waiting: deque[FlightSample] = deque()
        for role, log_ns, msg in messages:
            if role == "image":
                waiting.append(sample(msg))
                self._apart_ns = _clocks_apart_ns(log_ns, waiting[-1].stamp_ns)
            else:
                self._feed(role, log_ns, msg)
            while waiting and self._complete(waiting):
                yield self._with_truth(waiting.popleft())
        yield from map(self._with_truth, waiting)

    def _complete(self, waiting: deque[FlightSample]) -> bool:
        """Whether no truth that is still to come would be that of the first."""
        stamp_ns, newest_ns = waiting[0].stamp_ns, self._truth.newest_ns()
        if newest_ns is not None and newest_ns >= stamp_ns:
            return True
        passed_ns = abs(waiting[-1].stamp_ns - stamp_ns)
        return passed_ns > MAX_AGE_NS or len(waiting) > MOST_WAITING or not self.bag.topic("truth")

    def _with_truth(self, sample: FlightSample) -> FlightSample:
        return sample._replace(truth=self._truth.at(sample.stamp_ns))

    def _sample(self, msg: Any) -> FlightSample:
        stamp_ns = stamp_to_ns(msg.header.stamp)
        telemetry = self._telemetry.at(stamp_ns)
        try:
            return FlightSample(stamp_ns, frame_from_image(msg, self._camera), "", telemetry, None)
        except ImageError as error:
            return FlightSample(stamp_ns, None, f"topic {self.bag.topic('image')}: {error}", telemetry, None)

    def _feed(self, role: str, log_ns: int, msg: Any) -> None:
        """Take in one message that is not an image."""
        if role == "truth":
            self._truth.push(msg)
        elif role == "camera_info":
            self._camera = self._camera_of(msg)
        else:
            feed = FEEDS.get(role) or (
                feed_range if hasattr(msg, "range") else partial(_float_height, log_ns - self._apart_ns)
            )
            try:
                note = feed(self._telemetry, msg)
            except GeometryError as error:
                note = str(error)
            if note:
                topic = self.bag.topic(role)
                self.notes[topic] = (self.notes.get(topic, (0, ""))[0] + 1, note)


def _unseen(msg: Any) -> FlightSample:
    """An exposure whose pixels are not looked at."""
    return FlightSample(stamp_to_ns(msg.header.stamp), None, "", Telemetry(), None)


def _clocks_apart_ns(log_ns: int, stamp_ns: int) -> int:
    """What to take from the recording's clock to have that of the stamps, by the arrival of an image."""
    return 0 if 0 <= log_ns - stamp_ns <= LATEST_NS else log_ns - stamp_ns


def _float_height(stamp_ns: int, buffer: TelemetryBuffer, msg: Any) -> str | None:
    return feed_float_height(buffer, msg, stamp_ns)


def read_flight(path: Path, topics: Topics | None = None) -> Iterator[FlightSample]:
    """All exposures of a bag; see Flight.samples.

    Raises:
        BagError: see Bag.
        ImageError: the first image does not decode.
    """
    return Flight(Bag(path, topics)).samples()
