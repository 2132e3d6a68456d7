"""The share of the time that the embedder works, on a clock that the test turns."""

import math

import numpy as np
import pytest

from mift_ros.cache import busy


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

        def perf_counter(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(busy, "time", clock)
    return clock


class Slow:
    """Takes two seconds an image."""

    identity = "any"

    def __init__(self, clock):
        self.clock = clock

    def embed(self, images):
        self.clock.now += 2.0 * len(images)
        return images[:, 0, 0, :1].astype(np.float32)


def test_three_quarters_busy(clock):
    watched = busy.WatchedEmbedder(Slow(clock))
    clock.now += 50.0  # before the first tile: not counted
    watched.embed(np.zeros((2, 1, 1, 3), np.uint8))
    clock.now += 2.0
    watched.embed(np.zeros((1, 1, 1, 3), np.uint8))
    clock.now += 50.0
    assert watched.elapsed_s == pytest.approx(8.0)
    assert watched.share == pytest.approx(0.75)


def test_it_gives_what_the_embedder_gives(clock):
    slow = Slow(clock)
    images = np.arange(6, dtype=np.uint8).reshape(2, 1, 1, 3)
    assert np.array_equal(busy.WatchedEmbedder(slow).embed(images), slow.embed(images))
    assert busy.WatchedEmbedder(slow).identity == "any"


def test_without_a_call_nothing_is_known(clock):
    assert math.isnan(busy.WatchedEmbedder(Slow(clock)).share)
