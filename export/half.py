"""Float32 ONNX to mixed precision: products and convolutions in float16, what float16 spoils in float32.

Strongly typed TensorRT computes each layer in the type that the graph states, so the graph states it. Sums, norms,
softmax and the ranking of regions stay in float32 (they overflow at 65504 or lose the order of near ties); layers that
only move numbers take the type of what they move. Inputs and outputs stay float32: no caller changes. With the rules
here engine_key.RECIPE changes.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mift_ros.errors import ExportError

FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16
HALF_LARGEST = 65504.0

IN_FLOAT16 = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul", "Einsum"})
"""Layers that matrix units run; they accumulate in float32."""

IN_FLOAT32 = frozenset({
    "LayerNormalization", "InstanceNormalization", "GroupNormalization", "BatchNormalization", "LpNormalization",
    "Softmax", "LogSoftmax", "Exp", "Log", "Pow", "Sqrt", "Reciprocal", "Clip", "Sum", "Mean",
    "ReduceMean", "ReduceSum", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceMax", "ReduceMin", "ReduceProd",
    "AveragePool", "GlobalAveragePool", "TopK", "CumSum", "ScatterElements", "ScatterND", "Resize", "Cast",
    "ConstantOfShape", "Constant", "QuantizeLinear", "DequantizeLinear",
})  # fmt: skip
"""Layers whose sums, exponents or order need float32, and those whose type is written in an attribute."""


def to_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of the model whose graph says float16 where float16 is safe; inputs and outputs keep their types.

    Raises:
        ExportError: the graph has branches or loops, weights beyond the range of float16, or types that do not infer.
    """
    try:
        copy = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    except onnx.shape_inference.InferenceError as error:
        raise ExportError(f"the types of the ONNX graph do not infer ({str(error).splitlines()[0]})") from error
    _Converter(copy.graph).convert()
    onnx.checker.check_model(copy, full_check=True)
    return copy


class _Converter:
    """One walk through the sorted nodes; a tensor that is wanted in both types is cast once."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._graph = graph
        ports = [*graph.value_info, *graph.input, *graph.output]
        self._floats = {port.name for port in ports if port.type.tensor_type.elem_type == FLOAT}
        self._weights = {weight.name: weight for weight in graph.initializer if weight.data_type == FLOAT}
        self._outputs = {port.name for port in graph.output}
        self._halves: set[str] = set()
        self._cast: set[str] = set()
        self._nodes: list[onnx.NodeProto] = []

    def convert(self) -> None:
        for node in list(self._graph.node):
            self._check(node)
            half = self._runs_in_half(node)
            for place, name in enumerate(node.input):
                node.input[place] = self._as(name, half)
            if half:
                self._halves.update(name for name in node.output if name in self._floats)
            self._nodes.append(node)
        del self._graph.node[:]
        self._graph.node.extend(self._nodes)
        used = {name for node in self._nodes for name in node.input}
        kept = [weight for weight in self._graph.initializer if weight.name in used]
        del self._graph.initializer[:]
        self._graph.initializer.extend(kept)
        self._graph.ClearField("value_info")  # half of it is now wrong, and all of it infers

    def _check(self, node: onnx.NodeProto) -> None:
        if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            raise ExportError(f"{node.op_type} {node.name}: graphs with branches or loops are not converted to float16")

    def _runs_in_half(self, node: onnx.NodeProto) -> bool:
        """By kind; of the others, those whose every computed float input is already float16."""
        if node.op_type in IN_FLOAT32 or self._outputs & set(node.output):
            return False
        if node.op_type in IN_FLOAT16:
            return True
        computed = [name for name in node.input if name in self._floats and name not in self._weights]
        return bool(computed) and all(name in self._halves for name in computed)

    def _as(self, name: str, half: bool) -> str:
        """The name under which the tensor is had in the type asked for; writes the cast before its first use."""
        is_half = name in self._halves
        if (name not in self._floats and name not in self._weights) or is_half == half:
            return name
        cast = f"{name}__{'fp16' if half else 'fp32'}"
        if cast not in self._cast:
            self._cast.add(cast)
            if name in self._weights:
                self._graph.initializer.append(_half_weight(self._weights[name], cast))
            else:
                self._nodes.append(helper.make_node("Cast", [name], [cast], name=cast, to=HALF if half else FLOAT))
        return cast


def _half_weight(weight: onnx.TensorProto, name: str) -> onnx.TensorProto:
    values = numpy_helper.to_array(weight)
    largest = float(np.abs(values).max(initial=0.0))
    if not largest <= HALF_LARGEST:
        raise ExportError(f"weight {weight.name} reaches {largest:.3g}, float16 ends at {HALF_LARGEST:.0f}: keep fp32")
    return numpy_helper.from_array(values.astype(np.float16), name)
