"""Multi-scale feature fusion, section 3.2, Fig. 5 and Table 1."""

import pytest

torch = pytest.importorskip("torch", reason="the network needs PyTorch")

from training.model.config import VARIANTS  # noqa: E402
from training.model.mff import MultiScaleFusion  # noqa: E402

TABLE_1 = {
    "conv1": (512, 512), "conv2": (512, 128), "conv3": (128, 64), "conv4": (512, 64), "conv5": (640, 640),
    "conv6": (64, 64), "conv7": (128, 64), "conv8": (512, 64), "conv9": (704, 704), "conv10": (768, 768),
}  # fmt: skip


@pytest.fixture(scope="module")
def paper() -> MultiScaleFusion:
    config = VARIANTS["mift_s"]
    return MultiScaleFusion(config.dims, config.fusion_widths).eval()


@pytest.mark.parametrize("name", TABLE_1)
def test_convolutions_are_those_of_table_1(paper, name):
    convolution = getattr(paper, name)[0]
    assert (convolution.in_channels, convolution.out_channels) == TABLE_1[name]
    assert (convolution.kernel_size, convolution.stride, convolution.padding) == ((3, 3), (1, 1), (1, 1))


def test_reductions_are_those_of_section_3_2(paper):
    assert [(conv.in_channels, conv.out_channels) for conv in paper.reductions] == [
        (96, 64), (192, 64), (384, 128), (768, 512),
    ]  # fmt: skip
    assert all(conv.kernel_size == (1, 1) for conv in paper.reductions)


def test_four_stages_become_768_channels_on_49_patches(paper):
    stages = [torch.randn(1, side, side, dim) for side, dim in zip((56, 28, 14, 7), VARIANTS["mift_s"].dims)]
    with torch.no_grad():
        assert paper(stages).shape == (1, 7, 7, 768)


def test_pooling_before_the_reduction_equals_pooling_after_it():
    torch.manual_seed(0)
    fusion = MultiScaleFusion((8, 8, 8, 8), (4, 4, 4, 4)).double()
    stages = [torch.randn(1, side, side, 8, dtype=torch.float64) for side in (16, 8, 4, 2)]
    after = torch.nn.functional.avg_pool2d(fusion.reductions[0](stages[0].permute(0, 3, 1, 2)), 8)
    torch.testing.assert_close(fusion.reduce(stages)[0], after)


@pytest.mark.parametrize("shallow", [0, 1, 2])
def test_deep_features_weight_shallow_ones(shallow):
    """Where the weights that come from deeper stages are zero, a shallow stage has no influence."""
    torch.manual_seed(0)
    fusion = MultiScaleFusion((8, 8, 8, 8), (4, 4, 4, 8)).eval()
    for convolution in (fusion.conv2, fusion.conv4, fusion.conv8):
        torch.nn.init.zeros_(convolution[0].weight)
    stages = [torch.randn(1, side, side, 8) for side in (16, 8, 4, 2)]
    changed = [x + torch.randn_like(x) if index == shallow else x for index, x in enumerate(stages)]
    with torch.no_grad():
        assert torch.equal(fusion(stages), fusion(changed))
