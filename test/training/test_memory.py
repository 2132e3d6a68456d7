"""The memory of negatives: what it keeps, what it leaves out, and that a run with it goes on as it was."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from mift_ros.errors import TrainingError
from training.data.orthophotos.imagery import Imagery
from training.data.orthophotos.places import PlaceSampler, overlap
from training.losses.info_nce import InfoNce, Others, info_nce
from training.losses.memory import NegativeMemory, same_ground
from training.recipes.reader import load_recipe

RECIPE = Path(__file__).parents[2] / "training" / "recipes" / "first_weights.yaml"


def unit_rows(count: int, dim: int, seed: int) -> torch.Tensor:
    return functional.normalize(torch.randn(count, dim, generator=torch.Generator().manual_seed(seed)), dim=1)


def far_apart(count: int, first: int = 0) -> torch.Tensor:
    """Ground of `count` rows in as many images."""
    ground = torch.zeros(count, 4)
    ground[:, 0], ground[:, 3] = torch.arange(first, first + count), 10.0
    return ground


def test_a_negative_gone_by_by_hand() -> None:
    # Logits 1 for the pair, 0 for the other row of the batch, 1 for the row remembered: like the pair itself.
    pair, remembered = torch.eye(2), torch.tensor([[1.0, 1.0]])
    others = Others(remembered, remembered, torch.tensor([[True], [True]]))
    expected = math.log(1.0 + math.exp(-1.0) + 1.0)
    assert info_nce(pair, pair, torch.tensor(1.0), others=others).item() == pytest.approx(expected, rel=1e-6)


def test_a_row_that_serves_none_changes_nothing() -> None:
    a, b, scale = unit_rows(5, 8, 0), unit_rows(5, 8, 1), torch.tensor(5.0)
    others = Others(unit_rows(3, 8, 2), unit_rows(3, 8, 3), torch.zeros(5, 3, dtype=torch.bool))
    torch.testing.assert_close(info_nce(a, b, scale, others=others), info_nce(a, b, scale))


def test_ground_is_the_same_within_the_reach_in_one_image() -> None:
    mine = torch.tensor([[3.0, 0.0, 0.0, 10.0]])
    others = torch.tensor([[3.0, 0.0, 19.0, 10.0], [3.0, 0.0, 21.0, 10.0], [4.0, 0.0, 0.0, 10.0]])
    assert same_ground(mine, others).tolist() == [[True, False, False]]


def test_ground_of_a_whole_class_is_the_same_everywhere() -> None:
    mine, other = torch.tensor([[3.0, 0.0, 0.0, math.inf]]), torch.tensor([[3.0, 9e9, 0.0, math.inf]])
    assert same_ground(mine, other).item() and not same_ground(mine, other + torch.tensor([1.0, 0, 0, 0])).item()


def test_rows_overlap_by_their_ground_as_by_their_places() -> None:
    pixels = (np.zeros((400, 600, 3), np.uint8),)
    valid = np.ones((4, 6), np.bool_)
    images = [Imagery(name, pixels, 1.0, valid, 0, name if name != "b" else "group", False) for name in ("a", "b", "c")]
    sampler = PlaceSampler(images, [1.0], (50.0, 150.0), 50.0)
    rng = np.random.default_rng(0)
    places = [place for _ in range(30) for place in sampler.batch(2, rng)]
    ground = torch.tensor([sampler.ground(place) for place in places])
    expected = [[overlap(a, b, images) for b in places] for a in places]
    # overlap() takes two places of one image of a group by their distance; over steps such images are one ground.
    grouped = [[place.image == 1 and other.image == 1 for other in places] for place in places]
    assert same_ground(ground, ground).tolist() == (np.array(expected) | np.array(grouped)).tolist()


def test_the_oldest_rows_are_replaced_first() -> None:
    memory = NegativeMemory(rows=4, dim=2)
    for first in (0, 3):
        rows = torch.arange(first, first + 3).float()[:, None].expand(3, 2)
        memory.keep(rows, rows + 0.5, far_apart(3, first))
    assert memory.satellite[:, 0].tolist() == [4.0, 5.0, 2.0, 3.0] and memory.drone[0, 0] == 4.5
    assert memory.negatives(far_apart(1, 5)).tolist() == [[True, False, True, True]]


def test_a_memory_smaller_than_the_batch_keeps_its_last_rows() -> None:
    memory = NegativeMemory(rows=2, dim=1)
    rows = torch.arange(5.0)[:, None]
    memory.keep(rows, rows, far_apart(5))
    assert sorted(memory.satellite[:, 0].tolist()) == [3.0, 4.0]


def test_the_first_step_is_that_of_no_memory_and_later_ones_are_harder() -> None:
    branches = (torch.randn(6, 2, 8), torch.randn(6, 2, 8))
    plain = InfoNce(branch_weight=0.25, label_smoothing=0.0)
    remembering = InfoNce(branch_weight=0.25, label_smoothing=0.0, memory=NegativeMemory(32, 16))
    first = remembering(*branches, far_apart(6))
    torch.testing.assert_close(first, plain(*branches))
    assert remembering(*branches, far_apart(6, 100)) > first
    assert remembering.memory is not None and remembering.memory.seen == 12


def test_the_memory_is_part_of_the_state() -> None:
    one, other = (InfoNce(0.0, 0.0, NegativeMemory(8, 16)) for _ in range(2))
    branches = (torch.randn(6, 2, 8), torch.randn(6, 2, 8))
    one(*branches, far_apart(6))
    other.load_state_dict(one.state_dict())
    torch.testing.assert_close(other(*branches, far_apart(6, 9)), one(*branches, far_apart(6, 9)), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("loss.memory=-1", "loss.memory: from 0"),
        ("loss.label_smoothing=0.1", "not with label_smoothing"),
        ("loss.infonce=0.0", "of infonce"),
    ],
)
def test_what_cannot_be_is_refused(override: str, said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        load_recipe(RECIPE, ("loss.triplet=1.0", "loss.memory=64", override))
