"""What tells a query that is found: by hand, and against sampling."""

import math

import numpy as np
import pytest

from training.evaluation.signals import auroc, fitted_scale, log_shares, signals


def test_auroc_counts_pairs_in_the_right_order_and_ties_as_half():
    assert auroc(np.array([3.0, 1.0, 2.0, 1.0]), np.array([True, True, False, False])) == (1 + 1 + 0 + 0.5) / 4
    assert auroc(np.array([2.0, 3.0, 1.0]), np.array([True, True, False])) == 1.0
    assert math.isnan(auroc(np.array([2.0, 3.0]), np.array([True, True])))


def test_shares_are_a_softmax():
    shares = np.exp(log_shares(np.array([[0.0, math.log(3.0)], [1000.0, 0.0]]), 1.0))
    assert shares == pytest.approx(np.array([[0.25, 0.75], [1.0, 0.0]]))


def test_the_temperature_that_made_the_answers_is_found_again():
    rng = np.random.default_rng(0)
    scores = rng.normal(0.0, 0.2, (4000, 30))
    shares = np.exp(log_shares(scores, 12.0))
    right = np.array([rng.choice(30, p=row) for row in shares])
    assert fitted_scale(scores, right) == pytest.approx(12.0, rel=0.1)


def test_signals_by_hand():
    scores = np.zeros((2, 12))
    scores[0, :3] = [0.9, 0.8, 0.1]
    scores[1, :2] = [0.5, 0.5]
    told = signals(scores, np.array([0, 1]))
    assert told["best score"].tolist() == [0.9, 0.5]
    assert told["lead over the next"] == pytest.approx([0.1, 0.0])
    assert told["lead over the next 9"] == pytest.approx([0.9 - 0.9 / 9, 0.5 - 0.5 / 9])
    assert told["probability of the best"][0] > told["probability of the best"][1]
    assert told["less entropy"][0] > told["less entropy"][1]


def test_a_query_like_nothing_else_has_more_of_every_signal_than_one_like_everything():
    rng = np.random.default_rng(1)
    scores = rng.normal(0.0, 0.1, (60, 50))
    clear = np.arange(60) < 30
    scores[np.arange(60), np.arange(60) % 50] += np.where(clear, 0.8, 0.0)
    for name, signal in signals(scores, np.arange(60) % 50).items():
        assert auroc(signal, clear) > 0.95, name
