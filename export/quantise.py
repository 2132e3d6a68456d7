"""Float32 ONNX to int8: ONNX Runtime's static quantisation with explicit Q/DQ layers, signed and around zero.

Of each linear layer and each 3x3 convolution of the fusion, the input has one scale and every output channel of the
weights one of its own; TensorRT takes INT8 in this form only. What is left in float32 is where eight bits cost ranking
or bring no speed: the strided convolutions of the embedding layers, whose outputs are the residual stream that every
later layer adds to; LayerNorm, softmax, GELU and sums; the products of attention, which have no weights; the ranking of
regions, where a step moves a whole region; and the heads.
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
    _rewrite(prepared.graph, names)
    prepared.graph.ClearField("value_info")
    logging.getLogger().addFilter(_no_advice)
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "int8.onnx"
            quantize_static(
                onnx.shape_inference.infer_shapes(prepared), path, _Reader(prepared, images, progress),
                quant_format=QuantFormat.QDQ, op_types_to_quantize=["MatMul", "Conv"], nodes_to_quantize=names,
                per_channel=True, activation_type=QuantType.QInt8, weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax, extra_options=OPTIONS,
            )  # fmt: skip
            quantised = onnx.load(path)
    except (ValueError, RuntimeError, OSError) as error:
        raise ExportError(f"ONNX Runtime cannot quantise it ({str(error).splitlines()[0]})") from error
    finally:
        logging.getLogger().removeFilter(_no_advice)
    _tell_apart(quantised.graph)
    return quantised


def _layers(graph: onnx.GraphProto) -> list[str]:
    """Names of the linear layers but the heads, which have one row per image, and of the 3x3 convolutions."""
    shapes = {weight.name: list(weight.dims) for weight in graph.initializer}
    batch = graph.input[0].type.tensor_type.shape.dim[0].dim_param
    one_row = {
        port.name for port in graph.value_info if [d.dim_param for d in port.type.tensor_type.shape.dim] == [batch, ""]
    }
    names = []
    for node in graph.node:
        shape = shapes.get(node.input[1], []) if len(node.input) > 1 else []
        linear = node.op_type in ("MatMul", "Gemm") and len(shape) == 2 and node.input[0] not in one_row
        if linear or (node.op_type == "Conv" and shape[2:] == [3, 3]):
            names.append(node.name)
    return names


def _rewrite(graph: onnx.GraphProto, names: list[str]) -> None:
    """Write the layers so that both runtimes have an integer kernel for them.

    Biases become sums of their own, in float32: TensorRT refuses quantised ones. Gemm becomes MatMul of three
    dimensions: a quantised Gemm takes ONNX Runtime 1.31 seven times as long, and of a MatMul of two dimensions and a
    sum it makes one.
    """
    weights = {weight.name: weight for weight in graph.initializer}
    if any(node.op_type == "Gemm" for node in graph.node if node.name in names):
        graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.int64), FIRST_AXIS))
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.name not in names:
            nodes.append(node)
        elif node.op_type == "Gemm":
            nodes.extend(_as_product(node, weights))
        else:
            nodes.extend(_without_bias(node, weights))
    del graph.node[:]
    graph.node.extend(nodes)


def _without_bias(node: onnx.NodeProto, weights: dict[str, onnx.TensorProto]) -> list[onnx.NodeProto]:
    """MatMul as it is; a convolution and the sum of its result and its bias."""
    if len(node.input) < 3:
        return [node]
    bias = weights[node.input[2]]
    if node.op_type == "Conv":
        bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias).reshape(-1, 1, 1), bias.name))
    result, product = node.output[0], f"{node.output[0]}_product"
    del node.input[2]
    node.output[0] = product
    return [node, helper.make_node("Add", [product, bias.name], [result], name=f"{node.name}_bias")]


def _as_product(node: onnx.NodeProto, weights: dict[str, onnx.TensorProto]) -> list[onnx.NodeProto]:
    """Gemm of rows [N, C] as a product of [1, N, C], its bias and back."""
    told = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    if told.get("transA") or told.get("alpha", 1.0) != 1.0 or told.get("beta", 1.0) != 1.0:
        raise ExportError(f"Gemm {node.name}: is scaled or transposes its input, which no linear layer does")
    if told.get("transB"):
        weight = weights[node.input[1]]
        weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight).T.copy(), weight.name))
    rows, result = f"{node.output[0]}_rows", f"{node.output[0]}_sums"
    product = helper.make_node("MatMul", [rows, *node.input[1:]], [result], name=node.name)
    return [
        helper.make_node("Unsqueeze", [node.input[0], FIRST_AXIS], [rows], name=f"{node.name}_rows"),
        *_without_bias(product, weights),
        helper.make_node("Squeeze", [result, FIRST_AXIS], [node.output[0]], name=f"{node.name}_back"),
    ]


def _tell_apart(graph: onnx.GraphProto) -> None:
    """Give convolutions of one input scales that differ in the last bit.

    ONNX Runtime 1.31 would make their equal pairs one, then change signed to unsigned on one side of some of them only,
    and run those in float32 for it.
    """
    nodes = {node.output[0]: node for node in graph.node}
    scales = {weight.name: weight for weight in graph.initializer}
    seen: dict[str, int] = {}
    for layer in [node for node in graph.node if node.op_type == "Conv" and node.input[0] in nodes]:
        back = nodes[layer.input[0]]
        if back.op_type != "DequantizeLinear":
            continue
        shared = back.input[1]
        seen[shared] = seen.get(shared, -1) + 1
        if not seen[shared]:
            continue
        own = numpy_helper.to_array(scales[shared]) * np.float32(1 + seen[shared] * np.finfo(np.float32).eps)
        name = f"{shared}_{seen[shared]}"
        graph.initializer.append(numpy_helper.from_array(np.asarray(own, np.float32), name))
        nodes[back.input[0]].input[1] = back.input[1] = name


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
