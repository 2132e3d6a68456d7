"""Models and engines against a reference of the same weights, by ranking over a real gallery; a report beside each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np

from export.agreement import LIMITS, Embedded, agreement, failures
from export.imagery import Pairs
from mift_ros.errors import ExportError
from mift_ros.files import write_file
from mift_ros.inference.embedder import Embedder
from mift_ros.inference.engines import SUFFIX, sha256_of
from mift_ros.inference.load import describe, model_path
from mift_ros.inference.onnx import OnnxEmbedder
from mift_ros.inference.tensorrt import open_engine_file
from mift_ros.inference.verdict import CheckReport, report_path

BATCH = 6
"""Images handed at a time to what has no batches that it was built for."""
CHECKPOINT_SUFFIX = ".safetensors"

Progress = Callable[[int, int], None]


def open_any(spec: str) -> tuple[Path, Embedder]:
    """A checkpoint in PyTorch, an ONNX file or packaged model in ONNX Runtime, an engine in TensorRT; even if failed.

    Raises:
        ModelError: there is no such file, or it cannot be used.
        TrainingError: the checkpoint cannot be used.
    """
    path = Path(spec)
    if path.suffix == CHECKPOINT_SUFFIX:
        from export.torch_embedder import TorchEmbedder

        return path, TorchEmbedder(path)
    path = model_path(spec)
    return path, open_engine_file(path) if path.suffix == SUFFIX else OnnxEmbedder(path)


def require_same_weights(model: tuple[Path, Embedder], reference: tuple[Path, Embedder]) -> None:
    """Check what the identities say, which is quick, before anything is embedded.

    Raises:
        ExportError: they are of different weights.
    """
    if model[1].identity.weights_sha256 != reference[1].identity.weights_sha256:
        raise ExportError(f"{model[0]} and {reference[0]} are of different weights: there is nothing to compare")


def embed(embedder: Embedder, pairs: Pairs, progress: Progress = lambda done, total: None) -> Embedded:
    """Embeddings of both sides of the pairs; of an engine from each of its profiles, in turns."""
    images = np.concatenate([pairs.tiles, pairs.looks])
    rows = np.empty((len(images), embedder.identity.embedding_dim), np.float32)
    sizes, start = part_sizes(getattr(embedder, "batches", (BATCH,)), len(images)), 0
    while start < len(images):
        progress(start, len(images))
        end = min(start + next(sizes), len(images))
        rows[start:end] = embedder.embed(images[start:end])
        start = end
    progress(len(images), len(images))
    return Embedded(rows[: len(pairs.tiles)], rows[len(pairs.tiles) :])


def part_sizes(batches: Sequence[int], count: int) -> Iterator[int]:
    """Sizes of the parts of `count` images, over and over: each batch, as often as gives each as many of the images."""
    share = min(batches[-1], max(1, count // len(batches)))
    return cycle([min(size, share) for size in batches for _ in range(max(1, share // size))])


def check(
    model: tuple[Path, Embedder],
    reference: tuple[Path, Embedder],
    expected: Embedded,
    pairs: Pairs,
    imagery: Sequence[str],
    progress: Progress = lambda done, total: None,
) -> CheckReport:
    """Compare one model with what the reference made of the pairs, and write the report beside the model.

    Raises:
        ExportError: the report cannot be written.
    """
    (path, embedder), (against, _) = model, reference
    figures = agreement(expected, embed(embedder, pairs, progress))
    report = CheckReport(
        path.name, sha256_of(path), against.name, sha256_of(against), embedder.identity, describe(embedder),
        tuple(imagery), figures, LIMITS, failures(figures),
    )  # fmt: skip
    try:
        write_file(report_path(path), report.to_json().encode())
    except OSError as error:
        raise ExportError(f"{report_path(path)}: cannot be written ({os.strerror(error.errno or 0)})") from error
    return report
