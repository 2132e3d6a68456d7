"""Ground that was seen before is no news, whatever way the vehicle comes back to it."""

import math

import numpy as np
import pytest

from mift_ros.localization.seen import KEPT, SeenGround

VIEW_M = 144.0


def total(seen, path):
    return sum(seen.news(tuple(place)) for place in path)


@pytest.mark.parametrize("step_m", [12.0, 1.2, 36.0])
def test_along_a_line_news_is_the_distance_in_views_at_any_rate(step_m):
    path = [(east, 0.0) for east in np.arange(0.0, 10 * VIEW_M + 0.1, step_m)]
    assert total(SeenGround(VIEW_M), path) == pytest.approx(1.0 + 10.0, rel=0.02)


def test_far_away_all_of_a_view_is_new():
    seen = SeenGround(VIEW_M)
    assert seen.news((0.0, 0.0)) == 1.0
    assert seen.news((5000.0, 0.0)) == 1.0


def test_a_vehicle_that_hovers_sees_one_view_however_long():
    jitter = np.random.default_rng(0).normal(0.0, 2.0, (20_000, 2))
    assert total(SeenGround(VIEW_M), jitter) <= 1.1


def test_laps_after_the_first_show_nothing_new():
    lap = [(30 * math.cos(a), 30 * math.sin(a)) for a in np.arange(0.0, 2 * math.pi, 0.05)]
    seen = SeenGround(VIEW_M)
    total(seen, lap)
    assert total(seen, lap * 20) == 0.0


def test_memory_is_bounded():
    seen = SeenGround(1.0)
    total(seen, [(float(k), 0.0) for k in range(3 * KEPT)])
    assert seen.news((3.0 * KEPT - 1, 0.0)) == 0.0
    assert seen.news((0.0, 0.0)) == 1.0
