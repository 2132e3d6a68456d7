"""Which classes share a batch: each once an epoch, distinct in a batch, beside their nearest when those are known."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data.multiview.sampler import choose, epoch_plan, epoch_steps


@st.composite
def plans(draw: st.DrawFn) -> tuple[np.ndarray, int, int]:
    """A plan of an epoch with its number of classes and of classes in a batch, with hard negatives or without."""
    classes = draw(st.integers(2, 60))
    batch = draw(st.integers(2, classes))
    neighbours = None
    if draw(st.booleans()):
        near = draw(st.integers(1, classes - 1))
        neighbours = np.stack([np.roll(np.arange(classes), -i)[1 : near + 1] for i in range(classes)])
    share = draw(st.floats(0.0, 1.0))
    return (
        epoch_plan(classes, batch, draw(st.integers(0, 99)), draw(st.integers(0, 9)), neighbours, share),
        classes,
        batch,
    )


@settings(max_examples=150, deadline=None)
@given(plans())
def test_an_epoch_shows_every_class_once_and_completes_its_last_batch(drawn) -> None:
    plan, classes, batch = drawn
    assert plan.shape == (epoch_steps(classes, batch), batch) and plan.dtype == np.int64
    assert all(len(set(row)) == batch for row in plan.tolist())
    times = np.bincount(plan.ravel(), minlength=classes)
    assert len(times) == classes and times.min() == 1 and times.max() <= 2
    assert plan.size - classes < batch


def test_701_classes_by_8_are_88_steps() -> None:
    assert epoch_steps(701, 8) == 88 and epoch_steps(704, 8) == 88 and epoch_steps(705, 8) == 89


def test_epochs_and_seeds_differ_and_repeat() -> None:
    first = epoch_plan(50, 10, seed=0, epoch=0)
    assert np.array_equal(first, epoch_plan(50, 10, seed=0, epoch=0))
    assert not np.array_equal(first, epoch_plan(50, 10, seed=0, epoch=1))
    assert not np.array_equal(first, epoch_plan(50, 10, seed=1, epoch=0))


def test_each_anchor_is_followed_by_its_nearest_class() -> None:
    pairs = np.arange(40).reshape(20, 2)
    partner = np.empty((40, 1), np.int64)
    partner[pairs[:, 0], 0], partner[pairs[:, 1], 0] = pairs[:, 1], pairs[:, 0]
    plan = epoch_plan(40, 8, seed=3, epoch=1, neighbours=partner, hard_share=0.5)
    for row in plan.tolist():
        assert all(partner[a, 0] == b for a, b in zip(row[::2], row[1::2]))


def test_nearer_neighbours_are_taken_before_farther_ones() -> None:
    neighbours = np.stack([np.roll(np.arange(30), -i)[1:] for i in range(30)])
    row = epoch_plan(30, 4, seed=0, epoch=0, neighbours=neighbours, hard_share=0.75)[0].tolist()
    assert row == [(row[0] + i) % 30 for i in range(4)]


def test_without_a_hard_share_neighbours_change_nothing() -> None:
    neighbours = np.zeros((20, 1), np.int64)
    assert np.array_equal(epoch_plan(20, 5, 0, 0, neighbours, 0.0), epoch_plan(20, 5, 0, 0))


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 99))
def test_chosen_images_are_distinct_while_there_are_as_many(available: int, wanted: int, seed: int) -> None:
    chosen = choose(available, wanted, np.random.default_rng(seed))
    assert len(chosen) == wanted and set(chosen) <= set(range(available))
    assert len(set(chosen)) == min(wanted, available)
