"""The ONNX Runtime backend: its TensorRT provider, else CUDA, else CPU, and why not a better one."""

from __future__ import annotations

import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mift_ros.errors import ModelError, first_line
from mift_ros.inference.embedder import METADATA_KEY, ModelIdentity
from mift_ros.inference.preprocess import Preprocessor
from mift_ros.inference.providers import CPU, SHORT_NAMES, TENSORRT, in_order, options_of, why_not
from mift_ros.inference.trial import try_out
from mift_ros.threads import processors

if TYPE_CHECKING:
    import onnxruntime

logger = logging.getLogger(__name__)

MOST_LANES = 16
"""Parts of a batch that are embedded at a time: each takes some 20 MB with mift_nano."""


class OnnxEmbedder:
    """A MIFT model in ONNX Runtime; implements Embedder."""

    def __init__(self, path: str | Path, threads: int = 0) -> None:
        """Load and try the model; `threads` are those of a CPU, 0 for all that the process may use.

        Raises:
            ModelError: no such file, not ONNX, no identity, no runtime, or outputs that are not embeddings.
        """
        path = Path(path)
        if not path.is_file():
            raise ModelError(f"{path}: no such model file; use the packaged one with 'mift_nano', or export one")
        available = _runtime().get_available_providers()
        threads = threads or processors()  # ONNX Runtime's own choice is all cores of the host, whatever is allowed
        self.better: list[str] = why_not(available)
        """Why each provider that would be better is not in use, in words."""
        order = in_order(available)
        if order != [CPU]:
            _preload(_runtime())
        for place, provider in enumerate(order):
            try:
                self._open(path, provider, order[place + 1 :], threads)
                return
            except ModelError as error:
                if provider == CPU:
                    raise
                self.better.append(f"ONNX Runtime's {SHORT_NAMES[provider]} provider failed: {error}")

    @property
    def identity(self) -> ModelIdentity:
        """Name, preprocessing and weights of the loaded model."""
        return self._identity

    def embed(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Embed RGB images [B, H, W, 3] uint8; returns [B, embedding_dim] float32, each row of norm 1.

        Raises:
            ImageError: the images are not uint8 [B, H, W, 3].
            ModelError: the runtime failed, as a GPU does that has no memory left.
        """
        self._preprocess.check(images)
        if len(images) == 1 or self._side_by_side is None:
            parts = range(0, len(images), self._most)
            return _joined([_run(self._session, self._preprocess(images[k : k + self._most])) for k in parts])
        return self._side_by_side(images)

    def close(self) -> None:
        """Give threads and memory back; the embedder cannot be used after it."""
        if self._side_by_side is not None:
            self._side_by_side.close()
        del self._session, self._side_by_side

    def _open(self, path: Path, provider: str, others: list[str], threads: int) -> None:
        session = _session(path, [CPU], threads)  # it tells the names and sizes that the others want to know
        self._identity = _identity(session, path)
        self._most, options = options_of(provider, path, session.get_inputs()[0].name, self._identity.input_size)
        if provider == TENSORRT:
            logger.warning("%s: ONNX Runtime builds a TensorRT engine now; the first time takes minutes", path)
        if provider != CPU:
            session = _session(path, [(provider, options), *others], threads)
        self._session: Any = session
        self.provider: str = self._session.get_providers()[0]
        """The execution provider in use, e.g. CUDAExecutionProvider."""
        if self.provider != provider:
            raise ModelError("its libraries do not load (CUDA, cuDNN or TensorRT of the versions it was built for)")
        self._preprocess = Preprocessor(self._identity)
        self._side_by_side: _SideBySide | None = None
        if provider == CPU and threads > 1:
            lanes = min(threads, MOST_LANES)
            self._side_by_side = _SideBySide(_session(path, [CPU], 1), self._preprocess, lanes, self._most)
        try_out(self.embed, self._identity, str(path))


class _SideBySide:
    """Many images on a CPU in parts, one thread for each.

    Threads that share every layer of a batch wait for each other at the end of each: with two, 36 images of mift_nano
    take 115 ms so and 83 ms in parts. For a single image they share the layers still, in a session of its own.
    """

    def __init__(self, session: onnxruntime.InferenceSession, preprocess: Preprocessor, lanes: int, most: int) -> None:
        self._session, self._preprocess, self._lanes, self._most = session, preprocess, lanes, most
        self._pool = ThreadPoolExecutor(lanes, "embed")

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()

    def __call__(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        rounds = -(-len(images) // (self._lanes * self._most))
        parts = np.array_split(images, min(rounds * self._lanes, len(images)))
        return _joined(list(self._pool.map(self._embed, parts)))

    def _embed(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return _run(self._session, self._preprocess(images))


def read_identity(path: Path) -> ModelIdentity:
    """The identity of a model file, opened on the CPU.

    Raises:
        ModelError: not a complete ONNX model, or one without identity.
    """
    return _identity(_session(path, [CPU], 1), path)


def _run(session: onnxruntime.InferenceSession, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    try:
        (embeddings,) = session.run([session.get_outputs()[0].name], {session.get_inputs()[0].name: tensor})
    except Exception as error:  # ONNX Runtime's errors share no base class but Exception
        raise ModelError(f"ONNX Runtime failed: {first_line(error)}") from error
    return np.asarray(embeddings, np.float32)


def _joined(parts: list[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _runtime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelError("no ONNX Runtime; install 'mift_ros[cpu]' or, with an NVIDIA GPU, 'mift_ros[gpu]'") from error
    return onnxruntime


def _preload(runtime: Any) -> None:
    """Load the CUDA and cuDNN that pip installed, which ONNX Runtime does not find by itself; from 1.21 on."""
    if hasattr(runtime, "preload_dlls"):
        with redirect_stdout(sys.stderr):  # it prints what it does not find
            runtime.preload_dlls()


def _session(path: Path, providers: list[Any], threads: int) -> onnxruntime.InferenceSession:
    runtime = _runtime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:  # its own fallback would print, go on without the GPU, in flight too, and leave unsaid why
        return runtime.InferenceSession(str(path), options, providers=providers, enable_fallback=0)
    except Exception as error:
        if providers != [CPU]:
            raise ModelError(first_line(error)) from error
        raise ModelError(f"{path}: not a complete ONNX model ({first_line(error)})") from error


def _identity(session: Any, path: Path) -> ModelIdentity:
    metadata: dict[str, str] = session.get_modelmeta().custom_metadata_map
    if METADATA_KEY not in metadata:
        raise ModelError(
            f"{path}: no {METADATA_KEY!r} metadata, so its preprocessing is unknown; use 'mift export onnx'"
        )
    return ModelIdentity.from_json(metadata[METADATA_KEY], str(path))
