"""Multi-scale embedding fusion, section 3.2."""

import pytest

torch = pytest.importorskip("torch", reason="the network needs PyTorch")

from training.model.config import STAGE_KERNELS, STAGE_STRIDES, VARIANTS  # noqa: E402
from training.model.mef import MultiScaleEmbedding, WideConv2d, projection_dims  # noqa: E402


@pytest.mark.parametrize(
    ("dim", "kernels", "expected"),
    [
        (96, (4, 8, 16, 32), (48, 24, 12, 12)),
        (192, (2, 4), (96, 96)),
        (768, (2, 4), (384, 384)),
        (32, (4, 8, 16, 32), (16, 8, 4, 4)),
        (96, (4,), (96,)),
        (192, (2, 4, 8), (96, 48, 48)),
    ],
)
def test_projection_widths_halve_and_the_last_repeats(dim, kernels, expected):
    assert projection_dims(dim, kernels) == expected


@pytest.mark.parametrize("config", VARIANTS.values(), ids=VARIANTS.keys())
def test_a_larger_kernel_never_gets_more_channels_and_all_of_them_make_the_width(config):
    for dim, kernels in zip(config.dims, STAGE_KERNELS):
        widths = projection_dims(dim, kernels)
        assert sum(widths) == dim
        assert list(widths) == sorted(widths, reverse=True)


def test_every_kernel_gives_the_same_number_of_embeddings():
    layer = MultiScaleEmbedding(3, 96, STAGE_KERNELS[0], STAGE_STRIDES[0])
    planes = torch.zeros(1, 3, 224, 224)
    assert [tuple(projection(planes).shape[2:]) for projection in layer.projections] == [(56, 56)] * 4


@pytest.mark.parametrize("kernel", [4, 8, 16, 32])
def test_kernels_of_one_layer_share_their_centres(kernel):
    """With equal weights each embedding is the mean over its window: on a ramp, the value at the window's centre."""
    layer = MultiScaleEmbedding(1, 8, (kernel,), 4)
    torch.nn.init.constant_(layer.projections[0].weight, 1 / kernel**2)
    torch.nn.init.zeros_(layer.projections[0].bias)
    ramp = torch.arange(64.0).expand(1, 1, 64, 64)
    inner = layer.projections[0](ramp)[0, 0, 8, 4:12]
    torch.testing.assert_close(inner, 4 * torch.arange(4.0, 12.0) + 1.5)


@pytest.mark.parametrize("kernel", [16, 32])
def test_a_wide_convolution_is_the_convolution_itself(kernel):
    torch.manual_seed(0)
    wide = WideConv2d(3, 5, kernel, 4).double()
    plain = torch.nn.Conv2d(3, 5, kernel, 4, padding=(kernel - 4) // 2).double()
    plain.load_state_dict(wide.state_dict())
    images = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    torch.testing.assert_close(wide(images), plain(images))


def test_embeddings_of_an_image_are_normalised():
    layer = MultiScaleEmbedding(3, 96, STAGE_KERNELS[0], STAGE_STRIDES[0])
    embeddings = layer(torch.randn(2, 64, 64, 3))
    torch.testing.assert_close(embeddings.mean(dim=3), torch.zeros(2, 16, 16), atol=1e-5, rtol=0)


def test_later_stages_normalise_what_they_embed_and_quarter_the_number():
    torch.manual_seed(0)
    layer = MultiScaleEmbedding(16, 32, STAGE_KERNELS[1], STAGE_STRIDES[1], norm_first=True)
    features = torch.randn(2, 8, 8, 16)
    embeddings = layer(features)
    assert embeddings.shape == (2, 4, 4, 32)
    torch.testing.assert_close(layer(3 * features + 5), embeddings)
