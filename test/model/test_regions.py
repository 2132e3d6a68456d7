"""Heat-map regions, section 3.4 and Eqs. 1 to 3."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

torch = pytest.importorskip("torch", reason="the network needs PyTorch")

from training.model.regions import cell_features, heat, partition, pool, region_features  # noqa: E402


def test_heat_is_the_mean_of_a_patch_vector():
    features = torch.tensor([[[1.0, 3.0], [0.0, -1.0], [2.0, 2.0]]])
    assert heat(features).tolist() == [[2.0, -0.5, 2.0]]


@pytest.mark.parametrize(
    ("values", "regions", "expected"),
    [
        pytest.param([0.0, 9.0, 1.0, 10.0, 2.0, 11.0], 2, [0, 1, 0, 1, 0, 1], id="one large step"),
        pytest.param([5.0, 0.0, 20.0, 6.0, 1.0, 21.0], 3, [1, 0, 2, 1, 0, 2], id="two large steps"),
        pytest.param([100.0, 0.0, 1.0, 3.0], 3, [2, 0, 0, 1], id="a region of one patch"),
        pytest.param([4.0, 2.0, 3.0], 1, [0, 0, 0], id="one region is everything"),
        pytest.param([3.0, 1.0, 2.0], 3, [2, 0, 1], id="as many regions as patches"),
    ],
)
def test_sorted_heat_is_cut_at_its_largest_steps(values, regions, expected):
    assert partition(torch.tensor([values]), regions).tolist() == [expected]


@given(arrays("float32", st.tuples(st.integers(1, 3), st.integers(2, 20)), elements=st.integers(-2, 2)), st.data())
def test_regions_partition_all_patches_in_the_order_of_heat_even_with_ties(values, data):
    regions = data.draw(st.integers(1, values.shape[1]))
    heat_values = torch.from_numpy(values)
    labels = partition(heat_values, regions)
    assert labels.shape == heat_values.shape
    for row, heats in zip(labels, heat_values):
        assert row.unique().tolist() == list(range(regions))
        tops = [heats[row == region].max() for region in range(regions)]
        bottoms = [heats[row == region].min() for region in range(regions)]
        assert all(top <= bottom for top, bottom in zip(tops, bottoms[1:]))


def test_an_image_in_a_batch_is_cut_as_it_is_alone():
    heats = torch.randn(5, 49, generator=torch.Generator().manual_seed(0))
    alone = torch.cat([partition(row[None], 3) for row in heats])
    assert torch.equal(partition(heats, 3), alone)


def test_a_region_feature_is_the_mean_of_its_patches():
    features = torch.tensor([[[1.0, 0.0], [3.0, 0.0], [0.0, 5.0]]])
    assert pool(features, torch.tensor([[0, 0, 1]]), 2).tolist() == [[[2.0, 0.0], [0.0, 5.0]]]


def test_regions_of_the_paper_cover_49_patches_with_three_vectors():
    features = torch.randn(2, 49, 768)
    counts = torch.nn.functional.one_hot(partition(heat(features), 3), 3).sum(dim=1)
    assert region_features(features, 3).shape == (2, 3, 768)
    assert counts.sum(dim=1).tolist() == [49, 49]


def test_gradient_flows_to_every_patch():
    features = torch.randn(1, 16, 4, requires_grad=True)
    region_features(features, 3).sum().backward()
    assert (features.grad != 0).all()


def test_cells_are_means_of_squares_row_by_row_from_the_north_west():
    rows = torch.arange(16.0).reshape(1, 4, 4, 1)
    assert cell_features(rows, 2).flatten().tolist() == [2.5, 4.5, 10.5, 12.5]
    assert torch.equal(cell_features(rows, 4).flatten(), rows.flatten())
    assert cell_features(rows, 1).item() == rows.mean()


def test_cells_that_do_not_divide_the_map_share_its_middle():
    rows = torch.arange(9.0).reshape(1, 3, 3, 1)
    assert cell_features(rows, 2).flatten().tolist() == [2, 3, 5, 6]
