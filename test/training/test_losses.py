"""InfoNCE against hand computation, its symmetry, and the temperature's limits."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from training.losses.info_nce import LARGEST_LOGIT_SCALE, PairLoss, info_nce
from training.model.network import join_branches


def unit_rows(count: int, dim: int, seed: int) -> torch.Tensor:
    return functional.normalize(torch.randn(count, dim, generator=torch.Generator().manual_seed(seed)), dim=1)


def test_info_nce_of_two_orthogonal_pairs_by_hand() -> None:
    same = torch.eye(2)
    expected = math.log(1.0 + math.exp(-3.0))
    assert info_nce(same, same, torch.tensor(3.0)).item() == pytest.approx(expected, rel=1e-6)


def test_info_nce_of_asymmetric_similarities_by_hand() -> None:
    queries = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    gallery = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    softplus = math.log(1.0 + math.e)
    forth = (math.log(1.0 + math.exp(-1.0)) + softplus) / 2
    back = math.log(2.0)
    assert info_nce(queries, gallery, torch.tensor(1.0)).item() == pytest.approx((forth + back) / 2, rel=1e-6)


def test_info_nce_of_indistinct_embeddings_is_the_log_of_the_batch() -> None:
    same = torch.ones(7, 4) / 2.0
    assert info_nce(same, same, torch.tensor(10.0)).item() == pytest.approx(math.log(7.0), rel=1e-5)


def test_info_nce_does_not_care_which_view_is_the_query() -> None:
    a, b, scale = unit_rows(9, 16, 0), unit_rows(9, 16, 1), torch.tensor(5.0)
    torch.testing.assert_close(info_nce(a, b, scale, 0.1), info_nce(b, a, scale, 0.1))


def test_info_nce_does_not_care_about_the_order_of_the_places() -> None:
    a, b, order = unit_rows(6, 8, 0), unit_rows(6, 8, 1), torch.tensor([3, 1, 5, 0, 2, 4])
    torch.testing.assert_close(info_nce(a, b, torch.tensor(5.0)), info_nce(a[order], b[order], torch.tensor(5.0)))


def test_joined_branches_have_norm_one_and_equal_parts() -> None:
    joined = join_branches(torch.randn(5, 4, 8) * torch.tensor([1.0, 10.0, 0.1, 3.0])[None, :, None])
    torch.testing.assert_close(joined.norm(dim=1), torch.ones(5))
    torch.testing.assert_close(joined.reshape(5, 4, 8).norm(dim=2), torch.full((5, 4), 0.5))


def test_pair_loss_is_the_joined_loss_plus_the_weighted_mean_of_the_branches() -> None:
    queries, gallery = torch.randn(6, 3, 8), torch.randn(6, 3, 8)
    loss = PairLoss(branch_weight=0.5, label_smoothing=0.0)
    scale = loss.log_scale.exp()
    whole = info_nce(join_branches(queries), join_branches(gallery), scale)
    unit = [functional.normalize(x, dim=2) for x in (queries, gallery)]
    parts = [info_nce(unit[0][:, k], unit[1][:, k], scale) for k in range(3)]
    torch.testing.assert_close(loss(queries, gallery), whole + 0.5 * torch.stack(parts).mean())


def test_temperature_learns_but_is_clamped() -> None:
    queries, gallery = torch.randn(6, 3, 8), torch.randn(6, 3, 8)
    loss = PairLoss(branch_weight=0.0, label_smoothing=0.0)
    loss(queries, gallery).backward()
    assert loss.log_scale.grad is not None and loss.log_scale.grad.abs() > 0
    with torch.no_grad():
        loss.log_scale.fill_(20.0)
    clamped = info_nce(join_branches(queries), join_branches(gallery), torch.tensor(LARGEST_LOGIT_SCALE))
    torch.testing.assert_close(loss(queries, gallery), clamped)
