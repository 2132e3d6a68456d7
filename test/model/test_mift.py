"""The whole network, Fig. 3."""

import pytest

torch = pytest.importorskip("torch", reason="the network needs PyTorch")

from mift_ros.errors import TrainingError  # noqa: E402
from training.model.config import VARIANTS  # noqa: E402
from training.model.mift import Mift, build  # noqa: E402


@pytest.fixture(scope="module", params=VARIANTS)
def network(request) -> Mift:
    torch.manual_seed(0)
    return build(request.param).eval()


@pytest.fixture(scope="module")
def images(network):
    size = network.config.input_size
    return torch.randn(3, 3, size, size, generator=torch.Generator().manual_seed(0))


def test_the_paper_has_four_stages_49_patches_and_three_regions():
    config = VARIANTS["mift_s"]
    assert (config.input_size, config.dims, config.sides) == (224, (96, 192, 384, 768), (56, 28, 14, 7))
    assert (config.regions, config.head_dim, config.embedding_dim) == (3, 512, 2048)


def test_groups_tile_every_stage_of_every_variant():
    for config in VARIANTS.values():
        assert all(side % min(config.group, side) == 0 for side in config.sides)
        assert all(depth % 2 == 0 for depth in config.depths)
        assert all(dim % heads == 0 for dim, heads in zip(config.dims, config.heads))


@torch.no_grad()
def test_branches_are_global_and_regions_and_the_embedding_joins_their_unit_vectors(network, images):
    config = network.config
    branches, embedding = network.branches(images), network(images)
    assert branches.shape == (3, 1 + config.regions, config.head_dim)
    assert embedding.shape == (3, config.embedding_dim)
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(3))
    units = torch.nn.functional.normalize(branches, dim=2).flatten(1) / (1 + config.regions) ** 0.5
    torch.testing.assert_close(embedding, units)


@torch.no_grad()
def test_stages_have_the_shapes_of_their_configuration(network, images):
    config = network.config
    shapes = [tuple(stage.shape) for stage in network.features(images)]
    assert shapes == [(3, side, side, dim) for side, dim in zip(config.sides, config.dims)]


@torch.no_grad()
def test_an_image_in_a_batch_has_the_embedding_it_has_alone(network, images):
    alone = torch.cat([network(image[None]) for image in images])
    torch.testing.assert_close(network(images), alone, atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_black_image_has_a_finite_unit_embedding(network):
    size = network.config.input_size
    torch.testing.assert_close(network(torch.zeros(1, 3, size, size)).norm(), torch.tensor(1.0))


def test_gradient_reaches_every_parameter():
    torch.manual_seed(0)
    network = build("mift_nano").train()
    weights = torch.randn(8, 4, 64)
    (network.branches(torch.randn(8, 3, 128, 128)) * weights).sum().backward()
    missing = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert missing == []


def test_mift_nano_has_under_three_million_parameters():
    assert 1.5e6 < sum(p.numel() for p in build("mift_nano").parameters()) < 2.9e6


def test_an_unknown_variant_names_the_known_ones():
    with pytest.raises(TrainingError, match=r"'mift_xl'; choose one of mift_s, mift_nano"):
        build("mift_xl")
