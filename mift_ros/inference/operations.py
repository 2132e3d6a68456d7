"""Floating-point operations of a model, counted in its ONNX graph."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

COUNTED = ("Conv", "Gemm", "MatMul")
"""Kinds of nodes that multiply matrices; all others together are a few percent."""


def operations(path: Path) -> int | None:
    """Of one image, a multiply-add counted as two; None where the package onnx is not installed.

    A node whose shape does not follow from those of the inputs counts nothing: that is two percent at most.
    """
    try:
        import onnx
    except ImportError:
        return None
    model = onnx.load(str(path))
    for port in (*model.graph.input, *model.graph.output):
        port.type.tensor_type.shape.dim[0].dim_value = 1
    model.graph.ClearField("value_info")  # shapes of any batch
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    shapes = {weight.name: tuple(weight.dims) for weight in graph.initializer}
    for port in (*graph.value_info, *graph.input, *graph.output):
        shapes[port.name] = tuple(size.dim_value for size in port.type.tensor_type.shape.dim)
    return sum(_of(node, shapes) for node in graph.node if node.op_type in COUNTED)


def _of(node: Any, shapes: dict[str, tuple[int, ...]]) -> int:
    """A product for each output element: over a kernel, or over the columns of the first matrix."""
    out, first, weight = (shapes[name] for name in (node.output[0], node.input[0], node.input[1]))
    if node.op_type == "Conv":
        return 2 * math.prod(out) * math.prod(weight[1:])
    turned = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
    return 2 * math.prod(out) * (first[-2] if turned else first[-1])
