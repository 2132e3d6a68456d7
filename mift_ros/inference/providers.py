"""ONNX Runtime's execution providers: in which order they are tried, and with which options."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mift_ros.errors import ModelError
from mift_ros.inference.engines import default_folder, sha256_of
from mift_ros.inference.profiles import DEFAULT_BATCHES

TENSORRT, CUDA, CPU = "TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"
SHORT_NAMES = {TENSORRT: "TensorRT", CUDA: "CUDA", CPU: "CPU"}
"""Fastest first."""
CPU_BATCH = 6
"""Images handed to a CPU at a time: beyond a dozen the layers' outputs leave its cache, and 108 take a third longer."""


def in_order(available: Sequence[str]) -> list[str]:
    """The providers to try, of those that the runtime was built with; CPU is always the last."""
    return [name for name in SHORT_NAMES if name in available or name == CPU]


def why_not(available: Sequence[str]) -> list[str]:
    """What is to be said of the providers that the runtime was built without."""
    absent = [short for name, short in SHORT_NAMES.items() if name not in available and name != CPU]
    return [f"this ONNX Runtime has no {' and no '.join(absent)} provider"] if absent else []


def options_of(provider: str, model: Path, name: str, input_size: int) -> tuple[int, dict[str, Any]]:
    """The largest batch to hand over, and the provider's options; `name` is that of the input.

    TensorRT is told the range of batches, or it would build anew in flight at each batch beyond those it has seen. Its
    engines lie in a folder for each model: ONNX Runtime knows them by the file's name and the graph, not by its
    weights, and makes no folder but the last.

    Raises:
        ModelError: the folder cannot be made.
    """
    if provider == CPU:
        return CPU_BATCH, {}
    if provider != TENSORRT:
        return sys.maxsize, {}
    smallest, usual, largest = DEFAULT_BATCHES
    shapes = {
        f"trt_profile_{kind}_shapes": f"{name}:{batch}x3x{input_size}x{input_size}"
        for kind, batch in (("min", smallest), ("opt", usual), ("max", largest))
    }
    folder = default_folder() / "onnxruntime" / sha256_of(model)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelError(f"{folder}: cannot be written ({error.strerror})") from error
    kept = {"trt_engine_cache_enable": True, "trt_timing_cache_enable": True, "trt_engine_cache_path": str(folder)}
    return largest, {**kept, **shapes}
