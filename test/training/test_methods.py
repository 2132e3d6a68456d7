"""The methods of Table 3: partitions by hand, pooling between its limits, batches and gradients of every one."""

from __future__ import annotations

import importlib
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from training.methods.gem import GemPool  # noqa: E402
from training.methods.heat_parts import equal_parts  # noqa: E402
from training.methods.lpn import RINGS, pool_rings, ring_labels  # noqa: E402
from training.methods.table import METHODS  # noqa: E402
from training.model.config import MiftConfig  # noqa: E402
from training.model.mift import Mift  # noqa: E402
from training.model.network import Network  # noqa: E402

TINY = MiftConfig("tiny", 64, (16, 16, 16, 16), (2, 2, 2, 2), (1, 1, 1, 1), 2, (4, 4, 8, 8), 8)


@pytest.fixture(params=METHODS)
def network(request: pytest.FixtureRequest) -> Network:
    torch.manual_seed(0)
    module, name = METHODS[request.param].network.split(":")
    built: Network = getattr(importlib.import_module(module), name)(TINY)
    assert built.method == request.param
    return built


def test_every_method_gives_its_branches_and_an_embedding_of_length_one(network: Network):
    images = torch.randn(3, 3, 64, 64)
    assert network.branches(images).shape == (3, network.branch_count, TINY.head_dim)
    assert torch.allclose(network(images).norm(dim=1), torch.ones(3), atol=1e-5)
    assert network(images).shape == (3, network.embedding_dim)


def test_an_image_in_a_batch_has_the_embedding_it_has_alone(network: Network):
    images = torch.randn(4, 3, 64, 64)
    network.train()
    network(images)
    network.eval()
    alone = torch.cat([network(image.unsqueeze(0)) for image in images])
    assert torch.allclose(network(images), alone, atol=1e-5)


def test_gradients_reach_every_parameter_from_the_first_convolution_on(network: Network):
    network(torch.randn(6, 3, 64, 64))[:, 0].sum().backward()
    assert [name for name, p in network.named_parameters() if name.startswith("stages") and p.grad is None] == []
    assert next(network.stages.parameters()).grad.abs().sum() > 0


def test_the_rings_of_a_7x7_map():
    assert ring_labels(7, 4).reshape(7, 7).tolist() == [
        [3, 3, 3, 3, 3, 3, 3],
        [3, 2, 2, 2, 2, 2, 3],
        [3, 2, 1, 1, 1, 2, 3],
        [3, 2, 1, 0, 1, 2, 3],
        [3, 2, 1, 1, 1, 2, 3],
        [3, 2, 2, 2, 2, 2, 3],
        [3, 3, 3, 3, 3, 3, 3],
    ]


def test_the_rings_of_a_4x4_map():
    assert ring_labels(4, 2).reshape(4, 4).tolist() == [[1, 1, 1, 1], [1, 0, 0, 1], [1, 0, 0, 1], [1, 1, 1, 1]]


def test_rings_of_16_cells_are_two_cells_wide():
    assert torch.bincount(ring_labels(16, 4)).tolist() == [16, 48, 80, 112]


@given(st.integers(1, 20), st.integers(1, 10))
def test_each_cell_is_in_one_ring_and_each_ring_has_cells(side: int, rings: int):
    rings = min(rings, (side + 1) // 2)
    labels = ring_labels(side, rings)
    assert len(labels) == side**2 and set(labels.tolist()) == set(range(rings))


def test_rings_are_averaged_from_the_centre_outwards():
    features = ring_labels(7, RINGS).reshape(1, 7, 7, 1).float().expand(2, 7, 7, 5)
    assert torch.equal(pool_rings(features, RINGS), torch.arange(4.0).reshape(1, 4, 1).expand(2, 4, 5))


def test_a_map_too_small_for_the_rings_is_enlarged():
    features = torch.full((2, 3, 3, 5), 7.0)
    assert torch.allclose(pool_rings(features, RINGS), torch.full((2, RINGS, 5), 7.0))


def test_fsra_cuts_the_sorted_heat_into_equal_thirds_hottest_first():
    assert equal_parts(torch.tensor([[0.1, 0.9, 0.5, 0.4, 0.8, 0.2]]), 3).tolist() == [[2, 0, 1, 1, 0, 2]]


def test_the_last_third_takes_what_is_left_over():
    assert torch.bincount(equal_parts(torch.randn(1, 49), 3)[0]).tolist() == [16, 16, 17]


@given(st.integers(1, 5), st.integers(5, 60), st.booleans())
def test_each_patch_is_in_one_part_also_where_heat_ties(parts: int, patches: int, tied: bool):
    heat = torch.zeros(2, patches) if tied else torch.randn(2, patches)
    counts = [torch.bincount(row, minlength=parts) for row in equal_parts(heat, parts)]
    assert all(int(count.sum()) == patches and int(count.min()) >= patches // parts for count in counts)


@given(st.integers(0, 10**6), st.floats(0.01, 1e4))
def test_gem_lies_between_the_mean_and_the_largest_value(seed: int, scale: float):
    patches = torch.rand(2, 9, 4, generator=torch.Generator().manual_seed(seed)) * scale + 1e-3
    pooled = GemPool()(patches)
    assert bool((pooled >= patches.mean(dim=1) * 0.9999).all() and (pooled <= patches.amax(dim=1) * 1.0001).all())


def test_gem_of_power_one_is_the_mean():
    pool, patches = GemPool(), torch.rand(2, 9, 4) + 0.1
    pool.power.data.fill_(1.0)
    assert torch.allclose(pool(patches), patches.mean(dim=1))


def test_gem_of_patches_without_a_positive_value_is_finite_and_so_is_its_gradient():
    pool, patches = GemPool(), torch.full((1, 4, 2), -1.0, requires_grad=True)
    pool(patches).sum().backward()
    assert patches.grad.isfinite().all() and pool.power.grad.isfinite()


def test_one_region_is_the_global_feature_alone_as_in_fig_13():
    torch.manual_seed(0)
    network = Mift(replace(TINY, regions=1))
    assert network(torch.randn(2, 3, 64, 64)).shape == (2, network.config.embedding_dim) == (2, TINY.head_dim)
