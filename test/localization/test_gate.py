"""When a match may be published: the rule, case by case."""

import pytest

from mift_ros.localization import gate
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.types import Reason

CONFIG = LocalizerConfig(min_significance=5.0, min_significance_expected=3.5, min_lead=2.0, min_posterior=0.5)
CLEAR = gate.Evidence(similarity=0.3, significance=7.0, lead=2.5, expected=0.001, posterior=0.2, mode=0.9)


def verdict(**changes):
    refusal = gate.refuse(CLEAR._replace(**changes), CONFIG)
    return refusal.reason if refusal else None


def test_the_lead_is_over_the_best_other_place_and_over_what_is_usual():
    assert gate.lead([9.0, 7.0, 6.0], usual=5.0) == pytest.approx(2.0)
    assert gate.lead([9.0, 4.0], usual=5.0) == pytest.approx(4.0)
    assert gate.lead([9.0], usual=5.0) == pytest.approx(4.0)


def test_a_place_that_is_not_the_best_has_no_lead():
    assert gate.lead([6.0, 8.0, 5.0], usual=5.0) == pytest.approx(-2.0)


def test_a_clear_winner_is_published_though_nothing_was_believed_before():
    assert verdict() is None


def test_a_near_tie_is_ambiguous():
    assert verdict(lead=1.9) is Reason.AMBIGUOUS


def test_a_near_tie_is_settled_where_the_match_was_expected():
    assert verdict(lead=1.9, expected=0.8) is None


def test_the_frame_itself_is_no_expectation():
    assert verdict(lead=1.9, expected=0.001, posterior=0.9) is Reason.AMBIGUOUS


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
