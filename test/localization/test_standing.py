"""A place stands out by its edges, and by its brightness where that speaks for it."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mift_ros.localization.chance import Chance
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.hypotheses import make_hypotheses
from mift_ros.localization.places import Candidate
from mift_ros.localization.refine import Refiner
from mift_ros.localization.standing import Standing, Standings

PLACE = (-60.0, 40.0, 30.0)
SIGMAS = st.floats(-50.0, 50.0)


@given(SIGMAS, SIGMAS)
def test_brightness_may_speak_for_a_place_never_against_it(edges, brightness):
    joint = Standing(edges, brightness).significance
    assert joint >= edges
    assert joint == pytest.approx(edges) or joint == pytest.approx((edges + brightness) / math.sqrt(2))


def test_two_tests_that_agree_say_more_than_either():
    assert Standing(6.0, 6.0).significance == pytest.approx(6.0 * math.sqrt(2))
    assert Standing(6.0, -6.0).significance == 6.0


@pytest.fixture(scope="module")
def seen(town):
    """Views of the place, from the height it was taken at and as if from half of that, and a refiner for them."""
    frame, telemetry = town.shoot(*PLACE)
    m = town.cache.manifest
    made, low = (
        make_hypotheses(frame, replace(telemetry, height_agl_m=h), LocalizerConfig(), m.tile_size_m, m.input_size)
        for h in (100.0, 50.0)
    )
    chance = Chance(town.cache)
    refiner = Refiner(town.cache, [*made.views, *low.views], made.heading_step_deg, made.scale_step, chance)
    return made, chance, refiner


def aligned(seen, east_off_m, north_off_m):
    made, _, refiner = seen
    east, north = np.array(PLACE[:2]) + made.offset_m(0) + (east_off_m, north_off_m)
    return refiner.near(Candidate(0, (float(east), float(north)), PLACE[2], 1.0))


def test_the_right_place_stands_out_in_both_wrong_ones_in_brightness_as_chance_has_it(town, seen):
    standings = Standings(town.cache, *seen[1:])
    right = standings.of(aligned(seen, 0.0, 0.0))
    wrong = [standings.of(aligned(seen, *off)) for off in ((90.0, 70.0), (120.0, -60.0), (40.0, -110.0))]
    assert right.edges > 8.0
    assert right.brightness > 5.0
    assert max(abs(standing.brightness) for standing in wrong) < 4.0


def test_each_view_is_judged_by_what_it_scores_itself_by_chance(town, seen):
    """A view of half the height shows less ground and scores more anywhere."""
    match = aligned(seen, 0.0, 0.0)
    whole, part = (Standings(town.cache, *seen[1:]).of(replace(match, view=view)) for view in (0, 1))
    assert part.edges < whole.edges / 1.2
    together = Standings(town.cache, *seen[1:])
    assert together.of(match) == pytest.approx(whole, abs=1e-3)
    assert together.of(replace(match, view=1)) == pytest.approx(part, abs=1e-3)
