"""From a packaged model's name or a file to an Embedder, by the file's kind."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

from mift_ros.errors import ModelError
from mift_ros.inference.embedder import Embedder
from mift_ros.inference.onnx import OnnxEmbedder

ONNX_SUFFIX = ".onnx"


def load_embedder(spec: str, threads: int = 0) -> Embedder:
    """Load a model: `spec` is a path to an ONNX file, or the name of a packaged model such as 'mift_nano'.

    Raises:
        ModelError: neither, or the file cannot be used.
    """
    if spec in packaged_models():
        with as_file(files("mift_ros").joinpath(f"weights/{spec}{ONNX_SUFFIX}")) as path:
            return OnnxEmbedder(path, threads)
    path = Path(spec)
    if path.suffix != ONNX_SUFFIX and not path.exists():
        packaged = ", ".join(packaged_models()) or "none in this installation"
        raise ModelError(f"{spec!r} is neither a model file nor a packaged model ({packaged})")
    return OnnxEmbedder(path, threads)


def packaged_models() -> list[str]:
    """Names of the models that ship with the package."""
    folder = files("mift_ros").joinpath("weights")
    if not folder.is_dir():
        return []
    return sorted(
        entry.name.removesuffix(ONNX_SUFFIX) for entry in folder.iterdir() if entry.name.endswith(ONNX_SUFFIX)
    )
