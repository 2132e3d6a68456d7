"""The triplet loss between views: Eq. 4 and Fig. 8 by hand, and against a loop over all triplets."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from training.losses.triplet import cross_view_triplet

MARGIN = 0.3


def at(*degrees: float) -> Tensor:
    """One branch of two dimensions per angle, of length one: [B, 1, 2]."""
    angles = torch.deg2rad(torch.tensor(degrees))
    return torch.stack([angles.cos(), angles.sin()], dim=1).unsqueeze(1)


def chord(degrees: float) -> float:
    """Distance of two unit vectors at this angle."""
    return 2 * math.sin(math.radians(abs(degrees)) / 2)


def eq_4(satellite: Tensor, drone: Tensor, labels: list[int], margin: float) -> list[float]:
    """Eq. 4 of every triplet of one branch, as a loop."""
    losses = []
    for anchors, others in ((satellite, drone), (drone, satellite)):
        for a, anchor_label in enumerate(labels):
            for p, positive_label in enumerate(labels):
                for n, negative_label in enumerate(labels):
                    if positive_label == anchor_label != negative_label:
                        near = (anchors[a] - others[p]).norm().item()
                        far = (anchors[a] - others[n]).norm().item()
                        losses.append(max(near - far + margin, 0.0))
    return losses


def test_two_classes_in_two_views_by_hand() -> None:
    satellite, drone, labels = at(0, 60), at(40, 50), torch.tensor([0, 1])
    hinges = [
        chord(40) - chord(50) + MARGIN,  # satellite 0: its drone image at 40 degrees, the other at 50
        chord(10) - chord(20) + MARGIN,  # satellite 1: at 10 and 20
        chord(40) - chord(20) + MARGIN,  # drone 0: its satellite image at 40, the other at 20
        0.0,  # drone 1: at 10 and 50, which is more than the margin
    ]
    loss = cross_view_triplet(satellite, drone, labels, MARGIN)
    assert loss.item() == pytest.approx(sum(hinges) / 3, abs=1e-6)  # what costs nothing is not in the mean


def test_views_that_agree_far_apart_cost_nothing() -> None:
    views = at(0, 90)
    assert cross_view_triplet(views, views, torch.tensor([0, 1]), MARGIN).item() == 0.0


def test_views_that_do_not_tell_classes_apart_cost_the_margin() -> None:
    same = at(45, 45, 45)
    for hardest in (False, True):
        loss = cross_view_triplet(same, same, torch.tensor([0, 1, 2]), MARGIN, hardest)
        assert loss.item() == pytest.approx(MARGIN)


def test_swapped_classes_cost_their_distance_and_the_margin() -> None:
    loss = cross_view_triplet(at(0, 90), at(90, 0), torch.tensor([0, 1]), MARGIN)
    assert loss.item() == pytest.approx(math.sqrt(2) + MARGIN)


def test_images_of_one_view_never_meet() -> None:
    # Drone images lie on the axis about which the satellite images turn: only distances among the latter change.
    drone = torch.tensor([[[0.0, 0.0, -1.0]], [[0.0, 0.0, 1.0]]])

    def satellites(apart_deg: float) -> Tensor:
        flat = 0.6 * at(0, apart_deg)
        return torch.cat([flat, torch.tensor([[[0.8]], [[-0.8]]])], dim=2)

    labels = torch.tensor([0, 1])
    losses = [cross_view_triplet(satellites(angle), drone, labels, MARGIN).item() for angle in (0.0, 30.0, 180.0)]
    assert losses[0] > MARGIN and losses == pytest.approx([losses[0]] * 3)


def test_the_length_of_a_feature_does_not_matter() -> None:
    satellite, drone, labels = torch.randn(6, 2, 5), torch.randn(6, 2, 5), torch.tensor([0, 0, 1, 1, 2, 2])
    loss = cross_view_triplet(satellite, drone, labels, MARGIN)
    torch.testing.assert_close(cross_view_triplet(7 * satellite, 0.1 * drone, labels, MARGIN), loss)


def test_neither_views_nor_rows_are_preferred() -> None:
    satellite, drone, labels = torch.randn(6, 2, 5), torch.randn(6, 2, 5), torch.tensor([0, 0, 1, 1, 2, 2])
    loss = cross_view_triplet(satellite, drone, labels, MARGIN)
    torch.testing.assert_close(cross_view_triplet(drone, satellite, labels, MARGIN), loss)
    order = torch.tensor([4, 1, 0, 5, 3, 2])
    torch.testing.assert_close(cross_view_triplet(satellite[order], drone[order], labels[order], MARGIN), loss)


def test_branches_count_equally() -> None:
    satellite, drone, labels = torch.randn(4, 3, 5), torch.randn(4, 3, 5), torch.tensor([0, 1, 2, 3])
    each = [cross_view_triplet(satellite[:, [k]], drone[:, [k]], labels, MARGIN) for k in range(3)]
    torch.testing.assert_close(cross_view_triplet(satellite, drone, labels, MARGIN), torch.stack(each).mean())


@settings(max_examples=40, deadline=None)
@given(
    labels=st.lists(st.integers(0, 3), min_size=2, max_size=7).filter(lambda labels: len(set(labels)) > 1),
    margin=st.floats(0.0, 1.0),
    seed=st.integers(0, 2**31),
)
def test_the_mean_is_that_of_a_loop_over_the_triplets_that_cost_something(
    labels: list[int], margin: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    satellite, drone = (functional.normalize(torch.randn(len(labels), 2, 4, generator=generator), dim=2) for _ in "sd")
    branches = [[cost for cost in eq_4(satellite[:, k], drone[:, k], labels, margin) if cost > 1e-6] for k in range(2)]
    loss = cross_view_triplet(satellite, drone, torch.tensor(labels), margin)
    assert loss.item() == pytest.approx(sum(sum(costs) / max(len(costs), 1) for costs in branches) / 2, abs=1e-4)


def test_the_hardest_are_the_farthest_positive_and_the_nearest_negative() -> None:
    satellite, drone, labels = at(0, 10, 90), at(30, 5, 60), torch.tensor([0, 0, 1])
    hinges = [
        chord(30) - chord(60) + MARGIN,  # satellite 0: positives at 30 and 5 degrees, negative at 60
        chord(20) - chord(50) + MARGIN,
        chord(30) - chord(60) + MARGIN,
        chord(30) - chord(60) + MARGIN,  # drone 0: positives at 30 and 20, negative at 60
        chord(5) - chord(85) + MARGIN,
        chord(30) - chord(50) + MARGIN,
    ]
    expected = sum(max(hinge, 0.0) for hinge in hinges) / 6
    loss = cross_view_triplet(satellite, drone, labels, MARGIN, hardest=True)
    assert loss.item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("hardest", [False, True])
@pytest.mark.parametrize("rows", [4, 64])
def test_the_gradient_is_finite_where_features_coincide(hardest: bool, rows: int) -> None:
    satellite, drone = (torch.ones(rows, 2, 3, requires_grad=True) for _ in "sd")
    cross_view_triplet(satellite, drone, torch.arange(rows) // 2, MARGIN, hardest).backward()
    assert satellite.grad is not None and satellite.grad.isfinite().all()
    assert drone.grad is not None and drone.grad.isfinite().all()


def test_descent_separates_classes() -> None:
    torch.manual_seed(0)
    satellite, drone = torch.randn(8, 2, 6, requires_grad=True), torch.randn(8, 2, 6, requires_grad=True)
    labels, optimizer = torch.arange(8) // 2, torch.optim.SGD([satellite, drone], 3.0)
    for _ in range(200):
        optimizer.zero_grad()
        loss = cross_view_triplet(satellite, drone, labels, MARGIN)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.02
