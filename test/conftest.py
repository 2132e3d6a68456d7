"""Fixtures that several folders share: the imagery kept outside the repository, and a real but tiny model."""

from __future__ import annotations

import hashlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from mift_ros.inference.embedder import METADATA_KEY, ModelIdentity

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# a shell that starts pytest in the background makes it, and what the tests start, ignore Ctrl-C
signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def no_engines(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Empty stores: no test may run on an engine that its user has built, nor on weights that he has installed."""
    os.environ["MIFT_ENGINES"] = str(tmp_path_factory.mktemp("engines"))
    os.environ["MIFT_WEIGHTS"] = str(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The development imagery beside the checkout."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no development imagery at {SHARED_DATA}")
    return SHARED_DATA


@dataclass(frozen=True)
class TinyModel:
    """A working ONNX embedder: the contrast of an 8 x 8 grid of mean colours, 192 numbers, from 64 x 64 pixels."""

    size: int = 64
    cells: int = 8

    @property
    def dim(self) -> int:
        return 3 * self.cells**2

    def identity(self, **changes: Any) -> ModelIdentity:
        values: dict[str, Any] = {
            "name": "tiny", "variant": "test", "input_size": self.size,
            "mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25),
            "colour_order": "rgb", "interpolation": "bilinear", "embedding_dim": self.dim, "regions": 0,
            "recipe": "none", "weights_sha256": hashlib.sha256(b"tiny").hexdigest(),
        }  # fmt: skip
        return ModelIdentity(**{**values, **changes})

    def write(self, path: Path, identity: ModelIdentity | None = None, normalise: bool = True) -> Path:
        """Write the model; `identity` None leaves the metadata out."""
        onnx = pytest.importorskip("onnx")
        make, kind = onnx.helper.make_node, onnx.TensorProto.FLOAT
        step = self.size // self.cells
        nodes = [
            make("AveragePool", ["images"], ["pooled"], kernel_shape=[step, step], strides=[step, step]),
            make("Flatten", ["pooled"], ["flat"]),
            make("ReduceMean", ["flat"], ["mean"], axes=[1], keepdims=1),
            make("Sub", ["flat", "mean"], ["contrast"]),
            make("LpNormalization", ["contrast"], ["embedding"], p=2, axis=1)
            if normalise
            else make("Identity", ["contrast"], ["embedding"]),
        ]
        images = onnx.helper.make_tensor_value_info("images", kind, ["batch", 3, self.size, self.size])
        embedding = onnx.helper.make_tensor_value_info("embedding", kind, ["batch", self.dim])
        graph = onnx.helper.make_graph(nodes, "tiny", [images], [embedding])
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
        if identity is not None:
            onnx.helper.set_model_props(model, {METADATA_KEY: identity.to_json()})
        onnx.save(model, path)
        return path


@pytest.fixture(scope="session")
def tiny() -> TinyModel:
    return TinyModel()


@pytest.fixture(scope="session")
def tiny_model_path(tiny: TinyModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A valid tiny model on disk."""
    return tiny.write(tmp_path_factory.mktemp("models") / "tiny.onnx", tiny.identity())


@pytest.fixture(scope="session")
def noise_images() -> np.ndarray:
    """RGB images [7, 64, 64, 3] uint8 of seeded noise."""
    return np.random.default_rng(3).integers(0, 256, (7, 64, 64, 3), dtype=np.uint8)
