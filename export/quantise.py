"""Float32 ONNX to int8: ONNX Runtime's static quantisation with explicit Q/DQ layers, signed and around zero.

Of each linear layer and each convolution of tokens, the input has one scale and every output channel of the weights one
of its own; TensorRT takes INT8 in this form only. What is left in float32 is where eight bits cost ranking or bring no
speed: the convolutions of the image; LayerNorm, softmax, GELU and sums; the products of attention, which have no
weights; the ranking of regions, where a step moves a whole region; and the heads.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from export.convolutions import Convolutions
from export.joined import join
from mift_ros.errors import ExportError

FIRST_AXIS = "first_axis"
BATCH = 4
"""Images run at a time while the ranges are measured."""
OPTIONS = {
    "ActivationSymmetric": True,
    "QuantizeBias": False,  # TensorRT refuses a DequantizeLinear of int32
    "DedicatedQDQPair": True,  # a pair that two layers share is not fused into the second, by either runtime
    "OpTypesToExcludeOutputQuantization": ["MatMul"],  # its result goes to float32 layers anyhow
}

Images = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]
"""Called with how many images are done, and how many there are."""


def to_int8(model: onnx.ModelProto, images: Images, progress: Progress = lambda done, total: None) -> onnx.ModelProto:
    """A copy of the model with Q/DQ layers, their ranges those that `images` [N, 3, S, S], preprocessed, make.

    Raises:
        ExportError: the model has no layer to quantise, or ONNX Runtime cannot quantise it.
    """
    prepared = onnx.ModelProto()
    prepared.CopyFrom(onnx.shape_inference.infer_shapes(model))
    names = _layers(prepared.graph)
    if not names:
        raise ExportError("the model has no linear layer with constant weights: nothing to quantise")
    names = join(prepared.graph, names)
    _rewrite(prepared.graph, names)
    prepared.graph.ClearField("value_info")
    logging.getLogger().addFilter(_no_advice)
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "int8.onnx"
            quantize_static(
                onnx.shape_inference.infer_shapes(prepared), path, _Reader(prepared, images, progress),
                quant_format=QuantFormat.QDQ, op_types_to_quantize=["MatMul"], nodes_to_quantize=names,
                per_channel=True, activation_type=QuantType.QInt8, weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax, extra_options=OPTIONS,
            )  # fmt: skip
            quantised = onnx.load(path)
    except (ValueError, RuntimeError, OSError) as error:
        raise ExportError(f"ONNX Runtime cannot quantise it ({str(error).splitlines()[0]})") from error
    finally:
        logging.getLogger().removeFilter(_no_advice)
    return quantised


def _layers(graph: onnx.GraphProto) -> list[str]:
    """Names of the linear layers but the heads, which have one row per image, and of the convolutions of tokens."""
    shapes = {weight.name: list(weight.dims) for weight in graph.initializer}
    batch = graph.input[0].type.tensor_type.shape.dim[0].dim_param
    one_row = {
        port.name for port in graph.value_info if [d.dim_param for d in port.type.tensor_type.shape.dim] == [batch, ""]
    }
    names, normalised = [], False
    for node in graph.node:
        normalised = normalised or node.op_type == "LayerNormalization"
        matrix = len(node.input) > 1 and len(shapes.get(node.input[1], [])) == 2
        linear = node.op_type in ("MatMul", "Gemm") and matrix and node.input[0] not in one_row
        if linear or (node.op_type == "Conv" and normalised):
            names.append(node.name)
    return names


def _rewrite(graph: onnx.GraphProto, names: list[str]) -> None:
    """Write the layers so that both runtimes have an integer kernel for them.

    Biases become sums of their own, in float32: TensorRT refuses quantised ones. Gemm becomes MatMul of three
    dimensions: a quantised Gemm takes ONNX Runtime 1.31 seven times as long, and of a MatMul of two dimensions and a
    sum it makes one. Convolutions become MatMul too (`Convolutions`).
    """
    weights = {weight.name: weight for weight in graph.initializer}
    if any(node.op_type == "Gemm" for node in graph.node if node.name in names):
        graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.int64), FIRST_AXIS))
    convolutions = Convolutions(graph)
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.name not in names or node.op_type == "MatMul":
            nodes.append(node)
        else:
            nodes.extend(_as_product(node, weights) if node.op_type == "Gemm" else convolutions.as_product(node))
    del graph.node[:]
    graph.node.extend(nodes)
    read = {name for node in nodes for name in node.input}
    held = [weight for weight in graph.initializer if weight.name in read]
    del graph.initializer[:]
    graph.initializer.extend(held)


def _as_product(node: onnx.NodeProto, weights: dict[str, onnx.TensorProto]) -> list[onnx.NodeProto]:
    """Gemm of rows [N, C] as a product of [1, N, C], its bias and back.

    The way back parts the bias from GELU: joined, the two take ONNX Runtime 1.31 1.5 times as long.
    """
    told = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    if told.get("transA") or told.get("alpha", 1.0) != 1.0 or told.get("beta", 1.0) != 1.0:
        raise ExportError(f"Gemm {node.name}: is scaled or transposes its input, which no linear layer does")
    if told.get("transB"):
        weight = weights[node.input[1]]
        weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight).T.copy(), weight.name))
    rows, product = f"{node.output[0]}_rows", f"{node.output[0]}_product"
    nodes = [
        helper.make_node("Unsqueeze", [node.input[0], FIRST_AXIS], [rows], name=rows),
        helper.make_node("MatMul", [rows, node.input[1]], [product], name=node.name),
    ]
    if len(node.input) > 2:
        total = f"{node.output[0]}_sums"
        nodes.append(helper.make_node("Add", [product, node.input[2]], [total], name=f"{node.name}_bias"))
        product = total
    return [*nodes, helper.make_node("Squeeze", [product, FIRST_AXIS], [node.output[0]], name=f"{node.name}_back")]


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # ONNX Runtime is not typed
    def __init__(self, model: onnx.ModelProto, images: Images, progress: Progress) -> None:
        self._name, self._images, self._progress = model.graph.input[0].name, images, progress
        self._next = 0

    def get_next(self) -> dict[str, Images] | None:
        self._progress(self._next, len(self._images))
        part = self._images[self._next : self._next + BATCH]
        self._next += len(part)
        return {self._name: part} if len(part) else None


def _no_advice(record: logging.LogRecord) -> bool:
    """ONNX Runtime advises, on the root logger, a pre-processing that `to_int8` has done."""
    return "pre-processing" not in record.getMessage()
