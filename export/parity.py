"""PyTorch and ONNX Runtime side by side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
import torch

from mift_ros.errors import ExportError
from training.model.network import Network

BATCHES = (1, 2, 7)
MAX_DIFFERENCE = 1e-4
"""Largest difference of one element of a unit vector; float32 through 24 layers gives about 1e-6."""
MIN_COSINE = 0.9999


@dataclass(frozen=True)
class Parity:
    """How far two runtimes are apart on one batch: the largest element difference and the smallest cosine."""

    batch: int
    max_difference: float
    min_cosine: float

    @property
    def holds(self) -> bool:
        """Whether both are within tolerance; NaN is not."""
        return self.max_difference <= MAX_DIFFERENCE and self.min_cosine >= MIN_COSINE


def compare(model: Network, proto: onnx.ModelProto, batches: tuple[int, ...] = BATCHES) -> list[Parity]:
    """Run the same seeded noise images through both, on the CPU, at each batch size."""
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    size = model.config.input_size
    generator = torch.Generator().manual_seed(0)
    results = []
    for batch in batches:
        images = torch.randn(batch, 3, size, size, generator=generator)
        with torch.no_grad():
            expected = model.eval()(images).numpy()
        (actual,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
        difference = float(np.abs(expected - actual).max())
        results.append(Parity(batch, difference, float((expected * actual).sum(axis=1).min())))
    return results


def require(results: list[Parity]) -> None:
    """Check every batch.

    Raises:
        ExportError: one of them is out of tolerance.
    """
    for result in results:
        if not result.holds:
            raise ExportError(
                f"ONNX Runtime {onnxruntime.__version__} differs from PyTorch at batch {result.batch}: by "
                f"{result.max_difference:.2g} (at most {MAX_DIFFERENCE:g}), cosine {result.min_cosine:.6f} (at least "
                f"{MIN_COSINE:g}); nothing was written, report it with both versions"
            )
