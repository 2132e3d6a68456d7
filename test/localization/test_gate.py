"""When a match may be published: the rule, case by case."""

import pytest

from mift_ros.localization import gate
from mift_ros.localization.belief import Belief
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.refine import Alignment
from mift_ros.localization.types import Reason

CONFIG = LocalizerConfig(min_significance=5.0, min_margin=1.1, min_posterior=0.5)
HERE, ELSEWHERE = (200.0, -200.0), (600.0, -500.0)


def places(*scores):
    return [Alignment(0, (100.0 * k, 0.0), 0.0, 1.0, score, 1000) for k, score in enumerate(scores)]


@pytest.fixture
def belief():
    return Belief(west_m=0.0, north_m=0.0, rows=40, cols=40, stride_m=20.0, outside=0.1)


def verdict(belief, *scores, vehicle=HERE, significance=7.0):
    refusal = gate.refuse(places(*scores), significance, vehicle, belief, CONFIG)
    return refusal.reason if refusal else None


def test_the_margin_is_the_ratio_to_the_next_place_and_bounded_when_there_is_none():
    assert gate.margin(places(0.3, 0.2)) == pytest.approx(1.5)
    assert gate.margin(places(0.3)) == 10.0
    assert gate.margin(places(0.3, 1e-9)) == 10.0
    assert gate.margin(places(0.3, -0.1)) == 10.0


def test_a_clear_winner_is_published_though_nothing_was_believed_before(belief):
    assert verdict(belief, 0.3, 0.2) is None


def test_a_near_tie_is_ambiguous(belief):
    assert verdict(belief, 0.3, 0.28) is Reason.AMBIGUOUS


def test_a_near_tie_is_settled_by_the_belief(belief):
    belief.concentrate(*HERE, 20.0)
    assert verdict(belief, 0.3, 0.28) is None


def test_a_clear_winner_against_a_sure_belief_is_inconsistent(belief):
    belief.concentrate(*HERE, 20.0)
    assert verdict(belief, 0.3, 0.2, vehicle=ELSEWHERE) is Reason.INCONSISTENT


def test_what_chance_could_do_is_never_published(belief):
    assert verdict(belief, 0.3, 0.2, significance=4.9) is Reason.LOW_SIMILARITY


def test_where_the_belief_is_chance_can_do_less(belief):
    belief.concentrate(*HERE, 20.0)
    assert verdict(belief, 0.3, significance=4.0) is None
    assert verdict(belief, 0.3, significance=3.0) is Reason.LOW_SIMILARITY
