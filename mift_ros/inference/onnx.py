"""The ONNX Runtime backend: CUDA where the installed runtime has it, else CPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mift_ros.errors import ModelError
from mift_ros.inference.embedder import METADATA_KEY, ModelIdentity
from mift_ros.inference.preprocess import Preprocessor

if TYPE_CHECKING:
    import onnxruntime

PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")
NORM_TOLERANCE = 1e-2
"""Half precision keeps a unit vector's norm within 1e-3."""


class OnnxEmbedder:
    """A MIFT model in ONNX Runtime; implements Embedder."""

    def __init__(self, path: str | Path, threads: int = 0) -> None:
        """Load and try the model; `threads` is the runtime's intra-op count, 0 for its own choice.

        Raises:
            ModelError: no such file, not ONNX, no identity, no runtime, or outputs that are not embeddings.
        """
        path = Path(path)
        if not path.is_file():
            raise ModelError(f"{path}: no such model file; use the packaged one with 'mift_nano', or export one")
        self._session = _session(path, threads)
        self.provider: str = self._session.get_providers()[0]
        """The execution provider in use, e.g. CUDAExecutionProvider."""
        self._identity = _identity(self._session, path)
        self._preprocess = Preprocessor(self._identity)
        self._input = self._session.get_inputs()[0].name
        self._output = self._session.get_outputs()[0].name
        self._try_out(path)

    @property
    def identity(self) -> ModelIdentity:
        """Name, preprocessing and weights of the loaded model."""
        return self._identity

    def embed(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Embed RGB images [B, H, W, 3] uint8; returns [B, embedding_dim] float32, each row of norm 1.

        Raises:
            ImageError: the images are not uint8 [B, H, W, 3].
        """
        (embeddings,) = self._session.run([self._output], {self._input: self._preprocess(images)})
        return np.asarray(embeddings, np.float32)

    def _try_out(self, path: Path) -> None:
        """Embed two noise images, so that a model that does not fit its identity fails here and not in flight."""
        size, dim = self._identity.input_size, self._identity.embedding_dim
        noise = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), dtype=np.uint8)
        try:
            embeddings = self.embed(noise)
        except Exception as error:  # ONNX Runtime's errors share no base class but Exception
            raise ModelError(f"{path}: the model does not run on {size}x{size} images: {_first_line(error)}") from error
        if embeddings.shape != (2, dim):
            raise ModelError(f"{path}: the output is {list(embeddings.shape)}, its identity says [batch, {dim}]")
        norms = np.linalg.norm(embeddings, axis=1)
        if not np.allclose(norms, 1.0, atol=NORM_TOLERANCE):
            raise ModelError(f"{path}: embeddings have norm {norms.max():.3g} instead of 1; export the model again")


def _session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelError("no ONNX Runtime; install 'mift_ros[cpu]' or, with an NVIDIA GPU, 'mift_ros[gpu]'") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    providers = [name for name in PROVIDERS if name in onnxruntime.get_available_providers()]
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # as above
        raise ModelError(f"{path}: not a complete ONNX model ({_first_line(error)})") from error


def _identity(session: Any, path: Path) -> ModelIdentity:
    metadata: dict[str, str] = session.get_modelmeta().custom_metadata_map
    if METADATA_KEY not in metadata:
        raise ModelError(
            f"{path}: no {METADATA_KEY!r} metadata, so its preprocessing is unknown; use 'mift export onnx'"
        )
    return ModelIdentity.from_json(metadata[METADATA_KEY], str(path))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
