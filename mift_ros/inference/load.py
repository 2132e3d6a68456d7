"""From the name of a packaged or installed model, or a file, to the fastest Embedder that this machine has for it.

A TensorRT engine built for exactly this model, here; else ONNX Runtime with its TensorRT, CUDA or CPU provider. One
log line says which it is, and why not a better one.
"""

from __future__ import annotations

import logging
from importlib.resources import as_file, files
from pathlib import Path

from mift_ros.errors import ModelError
from mift_ros.inference.embedder import Embedder
from mift_ros.inference.engine_key import StaleEngineError
from mift_ros.inference.engines import SUFFIX
from mift_ros.inference.installed import installed_models, installed_path
from mift_ros.inference.onnx import OnnxEmbedder
from mift_ros.inference.tensorrt import TensorrtEmbedder, open_best_engine, open_engine_file
from mift_ros.inference.verdict import require_not_failed

ONNX_SUFFIX = ".onnx"

logger = logging.getLogger(__name__)


def load_embedder(spec: str, threads: int = 0) -> Embedder:
    """Load a model: `spec` is the name of a packaged or an installed model, or a path to an ONNX file or engine.

    Raises:
        ModelError: neither, or the file cannot be used. An engine that is named is loaded or refused, never replaced.
        FailedCheckError: `mift export check` found that it ranks differently from its reference.
    """
    path = model_path(spec)
    require_not_failed(path)
    if path.suffix == SUFFIX:
        return open_engine_file(path)
    level = logging.INFO
    try:
        engine = open_best_engine(path)
        logger.log(logging.WARNING if engine.better else level, "%s runs on %s", path.name, describe(engine))
        return engine
    except StaleEngineError as error:  # somebody built one and expects its speed
        reason, level = str(error), logging.WARNING
    except ModelError as error:
        reason = str(error)
    embedder = OnnxEmbedder(path, threads)
    embedder.better.insert(0, reason)
    logger.log(level, "%s runs on %s", path.name, describe(embedder))
    return embedder


def model_path(spec: str) -> Path:
    """The file of a packaged model's name, else of an installed model's, else the file that is named.

    Raises:
        ModelError: neither.
    """
    if spec in packaged_models():
        with as_file(files("mift_ros").joinpath(f"weights/{spec}{ONNX_SUFFIX}")) as path:
            return path
    if (installed := installed_path(spec)) is not None:
        return installed
    path = Path(spec)
    if path.suffix not in (ONNX_SUFFIX, SUFFIX) and not path.exists():
        known = ", ".join([*packaged_models(), *installed_models()]) or "none in this installation"
        raise ModelError(f"{spec!r} is neither a model file nor a packaged or installed model ({known})")
    return path


def describe(embedder: Embedder) -> str:
    """What an embedder runs on, and why not on something better, in one line."""
    provider = str(getattr(embedder, "provider", type(embedder).__name__))
    better: list[str] = getattr(embedder, "better", [])
    return f"{provider} ({'; '.join(better)})" if better else provider


def release(embedder: Embedder) -> None:
    """Give back the threads and the memory, of a GPU too, that an embedder holds; it cannot be used after it."""
    if isinstance(embedder, (OnnxEmbedder, TensorrtEmbedder)):
        embedder.close()


def packaged_models() -> list[str]:
    """Names of the models that ship with the package."""
    folder = files("mift_ros").joinpath("weights")
    if not folder.is_dir():
        return []
    return sorted(
        entry.name.removesuffix(ONNX_SUFFIX) for entry in folder.iterdir() if entry.name.endswith(ONNX_SUFFIX)
    )
