"""What a loaded model is tried on."""

import numpy as np
import pytest

from mift_ros.errors import ModelError, first_line
from mift_ros.inference.trial import try_batches, try_out


def unit_vectors(images, dim=192):
    """The same unit vector for the same image, whatever the batch."""
    flat = images.reshape(len(images), -1)[:, :dim].astype(np.float32) + 1
    return flat / np.linalg.norm(flat, axis=1, keepdims=True)


def test_a_model_that_gives_unit_vectors_passes(tiny):
    try_out(unit_vectors, tiny.identity(), "m.onnx")
    try_batches(unit_vectors, (1, 2, 37), tiny.identity(), "m.engine")


@pytest.mark.parametrize(
    ("embed", "told"),
    [
        (lambda images: unit_vectors(images, 64), r"the output is \[2, 64\], its identity says \[batch, 192\]"),
        (lambda images: 3 * unit_vectors(images), "embeddings have norm 3 instead of 1"),
        (lambda images: np.nan * unit_vectors(images), "embeddings have norm nan instead of 1"),
        (lambda images: 1 / 0, "does not run on 64x64 images: division by zero"),
    ],
)
def test_a_model_that_does_not_is_refused(tiny, embed, told):
    with pytest.raises(ModelError, match=rf"m\.onnx: .*{told}"):
        try_out(embed, tiny.identity(), "m.onnx")


@pytest.mark.parametrize("spoilt", [1, 3])
def test_a_profile_that_spoils_another_is_found_out(tiny, spoilt):
    """The results of one batch size are wrong from its second use on, as in TensorRT's issue 2648."""
    used = []

    def embed(images):
        used.append(len(images))
        wrong = len(images) == spoilt and used.count(spoilt) > (2 if spoilt == 1 else 1)
        return -unit_vectors(images) if wrong else unit_vectors(images)

    with pytest.raises(
        ModelError, match=rf"m\.engine: one image comes out differently in a batch of {spoilt} \(cosine -1\.000\)"
    ):
        try_batches(embed, (1, 3), tiny.identity(), "m.engine")


def test_nan_is_no_agreement(tiny):
    with pytest.raises(ModelError, match="cosine nan"):
        try_batches(lambda images: np.nan * unit_vectors(images), (1,), tiny.identity(), "m.engine")


def test_the_first_line_of_an_error_is_never_empty():
    assert first_line(ValueError("\n one \n two")) == "one"
    assert first_line(ValueError()) == "ValueError"
