"""When a match may be published: the rule, case by case."""

import pytest

from mift_ros.localization import gate
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.refine import Alignment
from mift_ros.localization.types import Reason

CONFIG = LocalizerConfig(min_significance=5.0, min_significance_expected=3.5, min_margin=1.1, min_posterior=0.5)
CLEAR = gate.Evidence(similarity=0.3, significance=7.0, margin=1.5, expected=0.001, posterior=0.2, mode=0.9)


def places(*scores):
    return [Alignment(0, (100.0 * k, 0.0), 0.0, 1.0, score, 1000) for k, score in enumerate(scores)]


def verdict(**changes):
    refusal = gate.refuse(CLEAR._replace(**changes), CONFIG)
    return refusal.reason if refusal else None


def test_the_margin_is_the_ratio_to_the_next_place_and_bounded_when_there_is_none():
    assert gate.margin(places(0.3, 0.2)) == pytest.approx(1.5)
    assert gate.margin(places(0.3)) == 10.0
    assert gate.margin(places(0.3, 1e-9)) == 10.0
    assert gate.margin(places(0.3, -0.1)) == 10.0


def test_a_clear_winner_is_published_though_nothing_was_believed_before():
    assert verdict() is None


def test_a_near_tie_is_ambiguous():
    assert verdict(margin=1.05) is Reason.AMBIGUOUS


def test_a_near_tie_is_settled_where_the_match_was_expected():
    assert verdict(margin=1.05, expected=0.8) is None


def test_the_frame_itself_is_no_expectation():
    assert verdict(margin=1.05, expected=0.001, posterior=0.9) is Reason.AMBIGUOUS


def test_a_winner_among_places_that_look_good_too_is_ambiguous():
    assert verdict(mode=0.6) is Reason.AMBIGUOUS


def test_where_all_matches_so_far_agree_less_is_enough():
    needed = CONFIG.min_significance_expected
    assert verdict(significance=0.9 * needed, mode=0.9999) is None
    assert verdict(significance=0.7 * needed, mode=0.9999) is Reason.LOW_SIMILARITY


def test_a_clear_winner_against_a_sure_belief_is_inconsistent():
    assert verdict(posterior=0.001) is Reason.INCONSISTENT


def test_what_chance_could_do_is_never_published():
    assert verdict(significance=4.9) is Reason.LOW_SIMILARITY


def test_where_the_match_is_expected_chance_can_do_less():
    assert verdict(significance=4.0, expected=0.8) is None
    assert verdict(significance=3.0, expected=0.8) is Reason.LOW_SIMILARITY


def test_a_refusal_carries_the_numbers_that_led_to_it():
    refusal = gate.refuse(CLEAR._replace(significance=1.0), CONFIG)
    assert refusal is not None
    assert refusal.numbers == CLEAR._replace(significance=1.0)._asdict()
