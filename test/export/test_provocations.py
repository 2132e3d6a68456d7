"""Images that make small types overflow or trade ranks: what is not ground, and what no calibration has seen."""

import numpy as np
import pytest

pytest.importorskip("onnx", reason="export needs onnx")
pytest.importorskip("onnxruntime", reason="quantisation needs ONNX Runtime")

from export.half import to_half
from export.model_file import name_precision, read_model, write
from export.quantise import to_int8
from mift_ros.inference.onnx import OnnxEmbedder
from mift_ros.inference.preprocess import Preprocessor

DISTINCT = 0.985
"""Cosine above which float32 itself hardly tells two images apart: black from black with one bright pixel."""


@pytest.fixture(scope="module")
def provocations(make_ground):
    """By name: [128, 128, 3] uint8."""
    black = np.zeros((128, 128, 3), np.uint8)
    images = {"black": black, "saturated": np.full_like(black, 255)}
    for side in (1, 2, 4, 8, 16, 32):
        board = (np.indices((128, 128)) // side).sum(axis=0) % 2
        images[f"checkerboard of {side}"] = np.repeat(np.uint8(255) * board.astype(np.uint8)[..., None], 3, axis=2)
    for row, column in ((5, 9), (64, 64), (100, 20)):
        images[f"bright pixel at {row}, {column}"] = black.copy()
        images[f"bright pixel at {row}, {column}"][row, column] = 255
    for index, scene in enumerate(make_ground(16, 128, 5)):
        images[f"half saturated {index}"] = np.where(np.arange(128)[:, None] < 64, np.uint8(255), scene)
        images[f"all contrast {index}"] = np.where(scene > 120, np.uint8(255), np.uint8(0))
    return images


@pytest.fixture(scope="module", params=["fp16", "int8"])
def reduced(request, nano_path, make_ground, tmp_path_factory):
    """The packaged model in a smaller type, calibrated with plain ground alone."""
    proto, identity = read_model(nano_path)
    half = request.param == "fp16"
    made = to_half(proto) if half else to_int8(proto, Preprocessor(identity)(make_ground(16, 128, 0)))
    name_precision(made, identity, request.param)
    path = tmp_path_factory.mktemp("model") / f"{request.param}.onnx"
    write(made, path)
    return OnnxEmbedder(path, threads=1)


@pytest.fixture(scope="module")
def embeddings(nano_path, reduced, provocations):
    """Of float32, and of the smaller type."""
    images = np.stack(list(provocations.values()))
    return OnnxEmbedder(nano_path, threads=1).embed(images), reduced.embed(images)


def test_embeddings_are_finite_and_of_unit_length(embeddings):
    _, found = embeddings
    assert np.isfinite(found).all()
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-3)


def test_each_image_is_found_among_the_others_as_float32_has_them(embeddings, provocations):
    expected, found = embeddings
    likeness = expected @ expected.T - 2 * np.eye(len(expected))
    distinct = likeness.max(axis=1) < DISTINCT
    assert distinct.sum() > len(expected) // 2
    best = (found @ expected.T).argmax(axis=1)
    names = list(provocations)
    assert [names[k] for k in np.flatnonzero(distinct)] == [names[k] for k in best[distinct]]


def test_the_identity_says_the_precision_and_keeps_the_weights(nano_path, reduced):
    _, identity = read_model(nano_path)
    assert reduced.identity.precision in ("fp16", "int8")
    assert reduced.identity.weights_sha256 == identity.weights_sha256
