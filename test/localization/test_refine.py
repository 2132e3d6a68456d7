"""Alignment to the map raster: metres from a coarse candidate, and only one answer per place."""

import math
from dataclasses import replace

import numpy as np
import pytest

from mift_ros.localization import refine
from mift_ros.localization.chance import Chance
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.hypotheses import make_hypotheses
from mift_ros.localization.places import SAME_PLACE_M, Alignment, Candidate
from mift_ros.localization.refine import Refiner
from mift_ros.localization.structure import transform_size

PLACE = (-60.0, 40.0, 30.0)
ROUGH = [(3.0, -2.0, 3.0), (-4.0, 1.0, -4.0), (90.0, 70.0, 0.0)]
"""East, north and heading off the place."""


@pytest.fixture(scope="module")
def made(town):
    manifest = town.cache.manifest
    frame, telemetry = town.shoot(*PLACE)
    return make_hypotheses(frame, telemetry, LocalizerConfig(), manifest.tile_size_m, manifest.input_size)


@pytest.fixture
def refiner(town, made):
    return Refiner(town.cache, made.views, made.heading_step_deg, made.scale_step, Chance(town.cache))


def candidate(made, east_off_m=0.0, north_off_m=0.0, heading_off_deg=0.0, scale=1.0):
    offset = made.offset_m(0)
    centre = (PLACE[0] + offset[0] + east_off_m, PLACE[1] + offset[1] + north_off_m)
    return Candidate(0, centre, PLACE[2] + heading_off_deg, scale)


@pytest.mark.parametrize(
    "off", [(15.0, -12.0, 0.0, 1.0), (-20.0, 5.0, 6.0, 1.0), (3.0, 18.0, -7.0, 1.08)], ids=["near", "turned", "scaled"]
)
def test_a_candidate_near_the_place_is_drawn_to_it(refiner, made, off):
    found = refiner.refine([candidate(made, *off)], radius_m=24.0)[0]
    truth = candidate(made)
    assert math.dist(found.centre_m, truth.centre_m) < 5.0
    assert abs(found.heading_deg - truth.heading_deg) < 6.0
    assert found.scale == pytest.approx(1.0, abs=0.06)


def test_the_place_scores_above_every_other(refiner, made):
    others = [candidate(made, e, n) for e in (0.0, 90.0, 150.0) for n in (0.0, 70.0, -100.0)]
    best, *rest = refiner.refine(others, radius_m=24.0)
    assert math.dist(best.centre_m, candidate(made).centre_m) < 5.0
    assert rest
    assert best.score > 1.2 * rest[0].score
    assert all(math.dist(best.centre_m, r.centre_m) > 30.0 for r in rest)


def test_verifying_coarsely_first_finds_what_verifying_every_candidate_to_metres_finds(refiner, made):
    """Beside the place and elsewhere; the exhaustive search aligns each at the raster's resolution."""
    spots = [candidate(made, e, n) for e in (5.0, 90.0, 150.0) for n in (-4.0, 70.0, -100.0)]
    exhaustive = max((a for a in map(refiner.near, spots) if a), key=lambda a: a.score)
    found = refiner.refine(spots, radius_m=24.0)[0]
    assert math.dist(found.centre_m, exhaustive.centre_m) < 1.0
    assert found.heading_deg == pytest.approx(exhaustive.heading_deg, abs=1.0)
    assert found.score > 0.98 * exhaustive.score


def test_scales_and_half_steps_for_the_best_alone_change_neither_the_place_nor_its_rival(town, made, monkeypatch):
    spots = [candidate(made, e, n, 5.0, 1.06) for e in range(-100, 200, 40) for n in range(-140, 120, 40)]
    assert len(spots) > refine.SCALED

    def best_two():
        chance = Chance(town.cache)
        refiner = Refiner(town.cache, made.views, made.heading_step_deg, made.scale_step, chance)
        return np.array([(*a.centre_m, a.score) for a in refiner.refine(spots, 24.0)[:2]])

    quick = best_two()
    for name in ("SCALED", "TUNED"):
        monkeypatch.setattr(refine, name, 1000)
    thorough = best_two()
    assert quick[:, :2] == pytest.approx(thorough[:, :2], abs=0.1)
    assert quick[:, 2] == pytest.approx(thorough[:, 2], abs=1e-3)


def test_an_expected_place_is_tried_in_all_poses_whatever_looks_better(town, made, monkeypatch):
    for name in ("SCALED", "TUNED"):
        monkeypatch.setattr(refine, name, 0)
    found = []
    for expected in (0, 1):
        refiner = Refiner(town.cache, made.views, made.heading_step_deg, made.scale_step, Chance(town.cache))
        found.append(refiner.refine([candidate(made, 3.0, -2.0, 6.0, 1.06)], 24.0, expected)[0])
    assert found[1].score > found[0].score


@pytest.mark.parametrize("gsd_m", [0.6, 1.0, 2.0, 3.0])
def test_a_template_holds_the_view_in_any_scale_and_fills_its_transform(refiner, made, gsd_m):
    view = made.views[0]
    size = refiner._template_pixels(0, gsd_m)
    assert size * gsd_m >= len(view.rgb) * view.gsd_m * (1 + made.scale_step)
    assert transform_size(size, size + refine.SEARCHED_PX) == size + refine.SEARCHED_PX


def test_polishing_never_makes_a_match_worse(refiner, made):
    rough = [Alignment(0, candidate(made, e, n).centre_m, PLACE[2] + turn, 1.0, -1.0, 1) for e, n, turn in ROUGH]
    for start in rough:
        once = refiner.polished(start)
        again = refiner.polished(replace(once, peak=None))
        assert again.score >= once.score
        assert again.peak is not None
        assert refiner.polished(again) is again


def test_shadows_under_another_sun_pull_the_place_less_than_they_pull_a_smooth_correlation(town):
    """The camera's shadows fall north-east, the map's north-west: both together pull every match to the west."""
    pulled, placed = [], []
    for place in [(east, north, 20.0) for east in (-60.0, -20.0, 20.0, 60.0) for north in (-50.0, 0.0, 40.0)]:
        frame, telemetry = town.shoot(*place)
        manifest = town.cache.manifest
        made = make_hypotheses(frame, telemetry, LocalizerConfig(), manifest.tile_size_m, manifest.input_size)
        refiner = Refiner(town.cache, made.views, made.heading_step_deg, made.scale_step, Chance(town.cache))
        truth = np.array(place[:2]) + made.offset_m(0)
        found = refiner.near(Candidate(0, (float(truth[0]), float(truth[1])), place[2], 1.0))
        placed.append(found.centre_m - truth)
        pulled.append(found.centre_m + 2 * np.array(found.peak.pull_m) - truth)
    smooth, settled = np.mean(pulled, axis=0), np.mean(placed, axis=0)
    assert smooth[0] < -0.8
    assert abs(smooth[1]) < 0.5
    assert np.hypot(*settled) < 0.65 * np.hypot(*smooth)
    assert np.linalg.norm(placed, axis=1).max() < np.linalg.norm(pulled, axis=1).max()


def test_where_there_is_no_map_there_is_no_alignment(refiner, made):
    assert refiner.refine([candidate(made, 5000.0, 0.0)], radius_m=24.0) == []


def test_of_two_places_alike_under_one_tile_both_are_looked_at_closer(town, made, refiner):
    """At 3 m per pixel the wrong one of two may be the better; what lies beside the best is another place."""
    found = refiner._coarse([candidate(made, 18.0, -12.0)], 24.0, [])
    assert len(found) == 2
    first, second = sorted(found, key=lambda a: a.score, reverse=True)
    truth = candidate(made)
    assert math.dist(first.centre_m, truth.centre_m) < 9.0  # three pixels
    assert math.dist(first.centre_m, second.centre_m) >= SAME_PLACE_M / 2
    assert first.score > second.score


@pytest.fixture
def elsewhere(made):
    """More than one portion of candidates that are all wrong."""
    wrong = [
        candidate(made, e, n, turn)
        for turn in (90.0, 180.0, 270.0)
        for e in range(0, 120, 25)
        for n in range(-75, 50, 25)
    ]
    assert len(wrong) > refine.PORTION
    return wrong


def test_no_more_candidates_are_verified_once_one_stands_out(refiner, made, elsewhere):
    grounds, turned = refiner._turned([candidate(made), *elsewhere], 12.0)
    assert len(turned) == refine.PORTION
    assert grounds.keys() == turned.keys()
    best = max(turned, key=lambda c: turned[c].score)
    assert best == candidate(made)


def test_as_long_as_none_stands_out_all_candidates_are_verified(refiner, made, elsewhere):
    assert len(refiner._turned(elsewhere, 12.0)[1]) == len(elsewhere)
    late = [*elsewhere, candidate(made)]
    assert len(refiner._turned(late, 12.0)[1]) == len(late)
    assert math.dist(refiner.refine(late, 12.0)[0].centre_m, candidate(made).centre_m) < 5.0


def test_a_second_match_of_the_same_place_is_no_rival_to_stand_out_from(refiner, made):
    beside = [candidate(made, e, 0.0) for e in (-8.0, 0.0, 8.0)]
    turned = refiner._turned(beside, 12.0)[1]
    assert len(turned) == 3
    assert refiner._stands_out(turned.values())
    assert not refiner._stands_out([])
