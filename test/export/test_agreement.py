"""Rankings side by side, by hand."""

import math

import numpy as np
import pytest

from export.agreement import LIMITS, Embedded, agreement, failures

EYE = np.eye(8, dtype=np.float32)


def turned(angle_rad, row, towards):
    """The unit vectors of EYE, one of them turned towards another."""
    rows = EYE.copy()
    rows[row] = math.cos(angle_rad) * EYE[row] + math.sin(angle_rad) * EYE[towards]
    return rows


def test_the_same_embeddings_agree_in_everything():
    figures = agreement(Embedded(EYE, EYE), Embedded(EYE, EYE))
    assert figures["top1"] == figures["top5"] == figures["top1_own"] == figures["cosine_median"] == 1.0
    assert figures["recall1_loss"] == figures["recall1_loss_own"] == figures["norm_error"] == 0.0
    assert failures(figures) == ()


def test_a_query_that_turns_to_another_tile_costs_its_share():
    """Turned by 60 degrees, query 2 has cosine 0.5 with tile 2 and 0.87 with tile 3."""
    model = Embedded(EYE, turned(math.radians(60), 2, 3))
    figures = agreement(Embedded(EYE, EYE), model)
    assert figures["top1"] == figures["top1_own"] == 7 / 8
    assert figures["recall1_loss"] == pytest.approx(1 / 8)
    assert figures["cosine_least"] == pytest.approx(0.5)
    assert failures(figures) == (
        "top1 0.8750, at least 0.99", "recall1_loss 0.1250, at most 0.01", "recall1_loss_own 0.1250, at most 0.01",
    )  # fmt: skip


def test_both_sides_turned_alike_disagree_only_in_the_other_s_gallery():
    both = turned(math.radians(60), 2, 3)
    figures = agreement(Embedded(EYE, EYE), Embedded(both, both))
    assert figures["top1"] == 7 / 8
    assert figures["top1_own"] == 1.0


def test_a_better_model_loses_nothing():
    figures = agreement(Embedded(EYE, turned(math.radians(60), 2, 3)), Embedded(EYE, EYE))
    assert figures["recall1_loss"] == pytest.approx(-1 / 8)


def test_five_best_are_compared_as_a_set():
    rows = EYE + 0.01 * np.arange(8, dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    other = EYE + 0.01 * np.arange(8, dtype=np.float32)[::-1]
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    # of query 0 the five best are 0, 7, 6, 5, 4, and seen by the other 0, 1, 2, 3, 4: two are the same
    figures = agreement(Embedded(EYE, rows[:1]), Embedded(EYE, other[:1]))
    assert figures["top5"] == pytest.approx(2 / 5)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_embeddings_that_are_not_finite_fail_by_number(value):
    rows = EYE.copy()
    rows[4, 1] = value
    assert failures(agreement(Embedded(EYE, EYE), Embedded(EYE, rows))) == ("1 embeddings are not finite",)
    assert failures(agreement(Embedded(rows, EYE), Embedded(EYE, EYE))) == ("1 embeddings are not finite",)


def test_embeddings_of_another_length_fail():
    assert failures(agreement(Embedded(EYE, EYE), Embedded(EYE, 1.02 * EYE))) == ("embeddings off norm 1 by 0.02",)


@pytest.mark.parametrize("name", LIMITS)
def test_each_limit_holds_at_its_value_and_not_beyond(name):
    figures = {**agreement(Embedded(EYE, EYE), Embedded(EYE, EYE)), name: LIMITS[name]}
    assert failures(figures) == ()
    figures[name] += 1e-4 if name.startswith("recall1_loss") else -1e-4
    assert len(failures(figures)) == 1
