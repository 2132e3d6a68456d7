"""Loading models and embedding with ONNX Runtime."""

from __future__ import annotations

import json
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mift_ros.errors import ModelError
from mift_ros.inference.embedder import ModelIdentity
from mift_ros.inference.load import load_embedder, packaged_models, release
from mift_ros.inference.onnx import OnnxEmbedder

pytest.importorskip("onnxruntime")


def test_embeddings_are_unit_vectors_and_the_identity_is_the_file_s(
    tiny: Any, tiny_model_path: Path, noise_images: np.ndarray
) -> None:
    embedder = load_embedder(str(tiny_model_path), threads=1)
    embeddings = embedder.embed(noise_images)
    assert embedder.identity == tiny.identity()
    assert embeddings.shape == (7, tiny.dim) and embeddings.dtype == np.float32
    assert np.linalg.norm(embeddings, axis=1) == pytest.approx(np.ones(7), abs=1e-5)


def test_embedding_by_hand(tiny: Any, tiny_model_path: Path) -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    image[:8, :8, 0] = 255
    expected = np.zeros(tiny.dim)
    expected[0] = 1.0
    expected -= expected.mean()
    (embedding,) = OnnxEmbedder(tiny_model_path).embed(image[None])
    assert embedding == pytest.approx(expected / np.linalg.norm(expected), abs=1e-5)


@pytest.mark.parametrize("threads", [0, 1, 2, 3, 16])
@pytest.mark.parametrize("count", [1, 2, 7, 40])
def test_batch_equals_single(tiny_model_path: Path, noise_images: np.ndarray, threads: int, count: int) -> None:
    """However the images are dealt out to threads, each keeps its row."""
    embedder = OnnxEmbedder(tiny_model_path, threads)
    images = np.concatenate([np.roll(noise_images, 3 * k, axis=1) for k in range(6)])[:count]
    alone = np.concatenate([embedder.embed(image[None]) for image in images])
    together = embedder.embed(images)
    assert together.shape == (count, alone.shape[1])
    assert together == pytest.approx(alone, abs=1e-6)


def test_what_is_closed_leaves_no_thread_behind(tiny_model_path: Path, noise_images: np.ndarray) -> None:
    before = set(threading.enumerate())
    embedder = OnnxEmbedder(tiny_model_path, 3)
    embedder.embed(noise_images)
    # a pool starts no more threads than it needs: a quick part leaves its own for the next
    assert {thread.name[:5] for thread in set(threading.enumerate()) - before} == {"embed"}
    release(embedder)
    assert not set(threading.enumerate()) - before


def test_the_provider_in_use_is_told(tiny_model_path: Path) -> None:
    assert OnnxEmbedder(tiny_model_path).provider.endswith("ExecutionProvider")


def test_every_packaged_model_loads_by_name() -> None:
    if not packaged_models():
        pytest.skip("no packaged model in this tree")
    for name in packaged_models():
        assert load_embedder(name).identity.embedding_dim > 0


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(ModelError, match="'mift_huge' is neither a model file nor a packaged or installed model"):
        load_embedder("mift_huge")


def test_a_missing_file_names_the_packaged_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"absent\.onnx: no such model file.*mift_nano"):
        load_embedder(str(tmp_path / "absent.onnx"))


@pytest.mark.parametrize("kept", [0, 1, 100, -1])
def test_a_truncated_model_is_refused(tiny_model_path: Path, tmp_path: Path, kept: int) -> None:
    path = tmp_path / "short.onnx"
    path.write_bytes(tiny_model_path.read_bytes()[:kept])
    with pytest.raises(ModelError, match=r"short\.onnx"):
        OnnxEmbedder(path)


def test_a_model_without_identity_is_refused(tiny: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no 'mift' metadata"):
        OnnxEmbedder(tiny.write(tmp_path / "anonymous.onnx"))


def test_an_output_of_another_dimension_than_the_identity_says_is_refused(tiny: Any, tmp_path: Path) -> None:
    path = tiny.write(tmp_path / "wide.onnx", tiny.identity(embedding_dim=256))
    with pytest.raises(ModelError, match=r"\[2, 192\].*\[batch, 256\]"):
        OnnxEmbedder(path)


def test_an_input_of_another_size_than_the_identity_says_is_refused(tiny: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not run on 96x96"):
        OnnxEmbedder(tiny.write(tmp_path / "large.onnx", tiny.identity(input_size=96)))


def test_embeddings_that_are_not_normalised_are_refused(tiny: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="norm"):
        OnnxEmbedder(tiny.write(tmp_path / "raw.onnx", tiny.identity(), normalise=False))


def test_without_a_runtime_the_extra_to_install_is_told(tiny_model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelError, match=r"mift_ros\[cpu\].*mift_ros\[gpu\]"):
        OnnxEmbedder(tiny_model_path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"input_size": 0}, "input_size"),
        ({"input_size": "64"}, "input_size"),
        ({"embedding_dim": 10**9}, "embedding_dim"),
        ({"std": [1.0, 0.0, 1.0]}, "std"),
        ({"mean": [0.5]}, "mean"),
        ({"mean": None}, "model identity cannot be read"),
        ({"mean": [10**400, 0, 0]}, "model identity cannot be read"),
        ({"weights_sha256": 5}, "weights_sha256 is 5, not text"),
        ({"name": None}, "name is None, not text"),
        ({"variant": ["s"]}, "variant is .*, not text"),
    ],
)
def test_an_identity_out_of_range_is_refused(tiny: Any, change: dict[str, Any], told: str) -> None:
    text = json.dumps({**asdict(tiny.identity()), **change})
    with pytest.raises(ModelError, match=told):
        ModelIdentity.from_json(text, "model.onnx")


def test_an_identity_without_end_is_refused() -> None:
    with pytest.raises(ModelError, match="model identity cannot be read"):
        ModelIdentity.from_json("[" * 100_000, "model.onnx")


def test_an_identity_survives_its_json(tiny: Any) -> None:
    assert ModelIdentity.from_json(tiny.identity().to_json(), "here") == tiny.identity()
