"""Ablations: what a recipe changes in a variant, and stochastic depth."""

import pytest

torch = pytest.importorskip("torch", reason="the network needs PyTorch")

from mift_ros.errors import TrainingError  # noqa: E402
from training.model.changes import changed  # noqa: E402
from training.model.config import STAGE_KERNELS, VARIANTS, AttentionKind  # noqa: E402
from training.model.drop_path import DropPath, drop_rates  # noqa: E402
from training.model.layer import TransformerLayer  # noqa: E402
from training.model.mift import Mift  # noqa: E402
from training.recipes.schema import NetworkSpec  # noqa: E402

NANO = VARIANTS["mift_nano"]
TABLE_5 = (
    ((4,), (2,), (2,), (2,)),
    ((4, 8), (2, 4), (2, 4), (2, 4)),
    ((4, 8, 16, 32), (2, 4), (2, 4), (2, 4)),
    ((4, 8, 16, 32), (2, 4, 8), (2, 4, 8), (2, 4, 8)),
)


def test_an_empty_change_is_the_variant_itself():
    assert changed(NANO, NetworkSpec()) == NANO
    assert (NANO.kernels, NANO.attention, NANO.drop_path) == (STAGE_KERNELS, AttentionKind.GLRA, 0.0)


@pytest.mark.parametrize("kernels", TABLE_5)
@torch.no_grad()
def test_kernels_of_every_row_of_table_5_make_a_network(kernels):
    network = Mift(changed(NANO, NetworkSpec(kernels=kernels))).eval()
    sizes = tuple(tuple(p.kernel_size[0] for p in stage[0].projections) for stage in network.stages)
    assert sizes == kernels
    assert [x.shape[1:] for x in network.features(torch.zeros(1, 3, 128, 128))] == [
        (side, side, dim) for side, dim in zip(NANO.sides, NANO.dims)
    ]


def test_regions_change_the_length_of_the_embedding():
    assert Mift(changed(NANO, NetworkSpec(regions=4))).embedding_dim == 5 * NANO.head_dim


def test_one_branch_can_be_as_long_as_all_of_them():
    network = Mift(changed(NANO, NetworkSpec(regions=1, head_dim=NANO.embedding_dim)))
    assert (network.branch_count, network.embedding_dim) == (1, NANO.embedding_dim)


@torch.no_grad()
def test_with_a_grid_each_branch_sees_its_cell_of_the_fused_map_alone():
    network = Mift(changed(NANO, NetworkSpec(grid=2))).eval()
    assert (network.branch_count, network.embedding_dim) == (4, NANO.embedding_dim)
    fused, other = torch.randn(2, 1, 4, 4, network.fusion.width)
    other[:, :2, 2:] = fused[:, :2, 2:]
    network.fusion = torch.nn.Identity()
    same = (network.describe(fused) == network.describe(other)).all(dim=2)[0]
    assert same.tolist() == [False, True, False, False], "only the north east is alike"


@torch.no_grad()
def test_without_fusion_the_global_feature_is_the_mean_of_stage_4():
    network = Mift(changed(NANO, NetworkSpec(fusion=False))).eval()
    stages = network.features(torch.randn(2, 3, 128, 128))
    expected = network.global_head(stages[-1].mean(dim=(1, 2)))
    torch.testing.assert_close(network.describe(stages)[:, 0], expected)


def test_parts_that_follow_the_stages_leave_their_first_weights_as_they_are():
    """Rows of an ablation begin alike: the stages are made first, from the same seed."""
    states = []
    specs = NetworkSpec(fusion=False), NetworkSpec(regions=1), NetworkSpec(grid=2), NetworkSpec(attention="local")
    for spec in (NetworkSpec(), *specs):
        torch.manual_seed(0)
        states.append(Mift(changed(NANO, spec)).stages.state_dict())
    for state in states[1:]:
        assert all(torch.equal(state[name], value) for name, value in states[0].items())


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (NetworkSpec(attention="linear"), "network.attention: one of glra, local, swin, pvt, mha, not 'linear'"),
        (NetworkSpec(regions=17), "network.regions: from 1 to the 16 patches of stage 4, not 17"),
        (NetworkSpec(grid=5), "network.grid: to the 4 patches of a side of stage 4, not 5"),
        (NetworkSpec(head_dim=-1), "network.head_dim: above 0, not -1"),
        (NetworkSpec(drop_path=1.0), "network.drop_path: from 0 to below 1, not 1.0"),
        (NetworkSpec(kernels=((4,), (2,))), "network.kernels: give those of four stages, not of 2"),
        (NetworkSpec(kernels=((8, 4), (2,), (2,), (2,))), r"stage 1, \[8, 4\]: give at least one, each larger"),
        (NetworkSpec(kernels=((4,), (), (2,), (2,))), r"stage 2, \[\]: give at least one"),
        (NetworkSpec(kernels=((4,), (2, 5), (2,), (2,))), r"stage 2, \[2, 5\]: each is a multiple of the stride, 2"),
        (
            NetworkSpec(kernels=((4, 8, 12, 16, 20, 24, 28), (2,), (2,), (2,))),
            "32 channels cannot be halved 6 times",
        ),
    ],
)
def test_impossible_changes_are_refused_in_one_line(spec, message):
    with pytest.raises(TrainingError, match=message):
        changed(NANO, spec)


def test_drop_rates_grow_linearly_from_nothing():
    assert drop_rates(0.2, 5) == pytest.approx([0, 0.05, 0.1, 0.15, 0.2])
    network = Mift(changed(NANO, NetworkSpec(drop_path=0.18)))
    rates = [layer.drop_path.rate for layer in network.modules() if isinstance(layer, TransformerLayer)]
    assert rates == pytest.approx([0.02 * index for index in range(10)])


def test_a_dropped_branch_is_gone_for_whole_images_and_the_mean_is_kept():
    torch.manual_seed(0)
    dropped = DropPath(0.25).train()(torch.ones(4000, 2, 2, 3)).flatten(1)
    torch.testing.assert_close(dropped.unique(), torch.tensor([0, 4 / 3]))
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert dropped.mean().item() == pytest.approx(1, abs=0.03)


def test_drop_path_follows_the_seed_and_rests_in_evaluation():
    layer, branch = DropPath(0.5), torch.randn(64, 2, 2, 3)
    draws = []
    for _ in range(2):
        torch.manual_seed(7)
        draws.append(layer.train()(branch))
    assert torch.equal(*draws)
    assert torch.equal(layer.eval()(branch), branch)
