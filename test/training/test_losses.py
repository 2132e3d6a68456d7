"""InfoNCE and identity against hand computation, and the loss of a recipe as the sum of its terms."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from training.losses.combined import CrossViewLoss
from training.losses.identity import IdentityLoss
from training.losses.info_nce import INITIAL_TEMPERATURE, LARGEST_LOGIT_SCALE, InfoNce, info_nce
from training.losses.triplet import cross_view_triplet
from training.model.network import join_branches
from training.recipes.schema import LossSpec

LABELS = torch.tensor([0, 0, 2, 2, 1, 1])


def unit_rows(count: int, dim: int, seed: int) -> torch.Tensor:
    return functional.normalize(torch.randn(count, dim, generator=torch.Generator().manual_seed(seed)), dim=1)


def two_views(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Six rows of three branches of eight dimensions in each view."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(6, 3, 8, generator=generator), torch.randn(6, 3, 8, generator=generator)


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


def test_label_smoothing_shares_the_target_by_hand() -> None:
    # Logits 3 and 0; the target has 0.95, the other 0.05, since 0.1 is shared by both.
    expected = math.log(1.0 + math.exp(3.0)) - 0.95 * 3.0
    assert info_nce(torch.eye(2), torch.eye(2), torch.tensor(3.0), 0.1).item() == pytest.approx(expected, rel=1e-6)


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


def test_the_infonce_term_is_the_joined_loss_plus_the_weighted_mean_of_the_branches() -> None:
    satellite, drone = two_views()
    scale = torch.tensor(1.0 / INITIAL_TEMPERATURE)
    whole = info_nce(join_branches(drone), join_branches(satellite), scale)
    unit = [functional.normalize(view, dim=2) for view in (drone, satellite)]
    parts = [info_nce(unit[0][:, k], unit[1][:, k], scale) for k in range(3)]
    expected = whole + 0.5 * torch.stack(parts).mean()
    torch.testing.assert_close(InfoNce(branch_weight=0.5, label_smoothing=0.0)(satellite, drone), expected)


def test_temperature_learns_and_leaves_its_bound_again() -> None:
    satellite, drone = two_views()
    loss = CrossViewLoss(LossSpec(infonce=1.0), branch_count=3, head_dim=satellite.shape[2], classes=0)
    assert loss.infonce is not None
    with torch.no_grad():
        loss.infonce.log_scale.fill_(20.0)
    loss.bound()
    torch.testing.assert_close(loss.infonce.scale, torch.tensor(LARGEST_LOGIT_SCALE))
    loss(satellite, drone, torch.arange(len(satellite))).total.backward()  # views at random: the scale is too large
    assert loss.infonce.log_scale.grad is not None and loss.infonce.log_scale.grad > 0
    torch.optim.SGD(loss.parameters(), lr=0.01).step()
    assert loss.infonce.scale < LARGEST_LOGIT_SCALE


def test_identity_by_hand() -> None:
    loss = IdentityLoss(branch_count=2, head_dim=2, classes=2)
    with torch.no_grad():
        loss.classifiers[0].weight.copy_(torch.eye(2))
        loss.classifiers[1].weight.zero_()
    satellite, drone = torch.tensor([[[3.0, 0.0], [5.0, 5.0]]]), torch.tensor([[[0.0, 1.0], [9.0, 1.0]]])
    first_branch = math.log(1 + math.exp(-3.0)) + math.log(1 + math.exp(1.0))
    second_branch = 2 * math.log(2.0)
    expected = (first_branch + second_branch) / 2
    assert loss(satellite, drone, torch.tensor([0])).item() == pytest.approx(expected, rel=1e-6)


def test_classifiers_start_after_kaiming() -> None:
    torch.manual_seed(0)
    for classifier in IdentityLoss(branch_count=2, head_dim=512, classes=701).classifiers:
        assert classifier.weight.std().item() == pytest.approx(math.sqrt(2 / 512), rel=0.02)
        assert (classifier.bias == 0).all()


def test_the_loss_of_a_recipe_is_the_weighted_sum_of_its_terms() -> None:
    spec = LossSpec(triplet=2.0, margin=0.4, identity=0.5, infonce=3.0, branch_weight=0.25, label_smoothing=0.1)
    loss, views = CrossViewLoss(spec, branch_count=3, head_dim=8, classes=3), two_views()
    total, terms = loss(*views, LABELS)
    assert loss.identity is not None and loss.infonce is not None
    expected = {
        "triplet": cross_view_triplet(*views, LABELS, 0.4),
        "identity": loss.identity(*views, LABELS),
        "infonce": loss.infonce(*views),
    }
    assert terms.keys() == expected.keys()
    assert all(torch.equal(terms[name], value) for name, value in expected.items())
    torch.testing.assert_close(total, 2.0 * terms["triplet"] + 0.5 * terms["identity"] + 3.0 * terms["infonce"])


def test_a_term_of_weight_0_is_neither_built_nor_computed() -> None:
    loss = CrossViewLoss(LossSpec(triplet=1.0), branch_count=3, head_dim=8, classes=0)
    assert not list(loss.parameters()) and loss.temperature is None
    assert loss(*two_views(), LABELS).terms.keys() == {"triplet"}


def test_every_term_reaches_both_views_and_its_own_parameters() -> None:
    spec = LossSpec(triplet=1.0, hardest=True, identity=1.0, infonce=1.0)
    loss = CrossViewLoss(spec, branch_count=3, head_dim=8, classes=3)
    views = [view.requires_grad_() for view in two_views()]
    loss(*views, LABELS).total.backward()
    assert all(tensor.grad is not None and tensor.grad.abs().sum() > 0 for tensor in (*views, *loss.parameters()))
    assert loss.temperature is not None and loss.temperature.item() == pytest.approx(INITIAL_TEMPERATURE)


def test_the_loss_is_computed_in_float32_under_autocast() -> None:
    spec = LossSpec(triplet=1.0, identity=1.0, infonce=1.0)
    loss, views = CrossViewLoss(spec, branch_count=3, head_dim=8, classes=3), two_views()
    plain = loss(*views, LABELS).total
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(loss(*views, LABELS).total, plain)
        assert loss(*(view.bfloat16() for view in views), LABELS).total.dtype == torch.float32
