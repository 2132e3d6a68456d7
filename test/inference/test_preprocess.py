"""What the network is shown, pixel by pixel."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mift_ros.errors import ImageError, ModelError
from mift_ros.inference.preprocess import Preprocessor


def test_pixel_values_by_hand(tiny: Any) -> None:
    identity = tiny.identity(mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 0.2))
    image = np.full((1, 64, 64, 3), (255, 51, 0), np.uint8)
    tensor = Preprocessor(identity)(image)
    assert tensor.shape == (1, 3, 64, 64) and tensor.dtype == np.float32
    assert tensor[0, :, 10, 20] == pytest.approx([(1 - 0.1) / 0.5, (0.2 - 0.2) / 0.25, (0 - 0.3) / 0.2], abs=1e-6)


def test_mean_and_std_belong_to_the_model_s_own_channel_order(tiny: Any) -> None:
    identity = tiny.identity(mean=(0.0, 0.0, 0.5), std=(1.0, 1.0, 1.0), colour_order="bgr")
    tensor = Preprocessor(identity)(np.full((1, 64, 64, 3), (255, 51, 0), np.uint8))
    assert tensor[0, :, 0, 0] == pytest.approx([0.0, 0.2, 1.0 - 0.5], abs=1e-6)


@given(batch=st.integers(1, 5), pick=st.integers(0, 4), seed=st.integers(0, 99))
def test_an_image_in_a_batch_is_treated_as_alone(tiny: Any, batch: int, pick: int, seed: int) -> None:
    images = np.random.default_rng(seed).integers(0, 256, (batch, 40, 50, 3), dtype=np.uint8)
    preprocess = Preprocessor(tiny.identity())
    one = pick % batch
    assert np.array_equal(preprocess(images)[one], preprocess(images[one : one + 1])[0])


def test_other_sizes_are_resized_as_the_identity_says(tiny: Any, noise_images: np.ndarray) -> None:
    large = np.stack([cv2.resize(image, (128, 128), interpolation=cv2.INTER_NEAREST) for image in noise_images])
    preprocess = Preprocessor(tiny.identity(interpolation="area"))
    assert np.array_equal(preprocess(large), preprocess(noise_images))


@pytest.mark.parametrize("change", [{"interpolation": "lanczos"}, {"colour_order": "yuv"}])
def test_unknown_preprocessing_is_refused(tiny: Any, change: dict[str, str]) -> None:
    with pytest.raises(ModelError, match=next(iter(change.values()))):
        Preprocessor(tiny.identity(**change))


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((64, 64, 3), np.uint8),
        np.zeros((1, 64, 64, 4), np.uint8),
        np.zeros((1, 64, 64, 3), np.float32),
        np.zeros((0, 64, 64, 3), np.uint8),
    ],
    ids=["no batch", "four channels", "float", "empty"],
)
def test_what_is_not_a_batch_of_rgb_images_is_refused(tiny: Any, images: np.ndarray) -> None:
    with pytest.raises(ImageError, match="uint8"):
        Preprocessor(tiny.identity())(images)
