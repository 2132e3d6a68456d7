"""Opset 18 to 17, which is where TensorRT 8.6 ends; onnx's own converter has no way down for Pad.

TensorRT 8.6 reads a ReduceMean of opset 18 without complaint and without its axes, which then are all axes. With what
is done here engine_key.RECIPE changes.
"""

from __future__ import annotations

from collections.abc import Callable

import onnx
from onnx import helper, numpy_helper

from mift_ros.errors import ExportError

TARGET = 17


def to_opset_17(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy that says the same in opset 17, checked.

    Raises:
        ExportError: a layer says something that opset 17 cannot.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    weights = {weight.name: weight for weight in copy.graph.initializer}
    came_from = next(entry for entry in copy.opset_import if entry.domain == "")
    for node in copy.graph.node:
        if node.domain == "" and _changed(node.op_type, came_from.version):
            rule = RULES.get(node.op_type, _none)
            rule(node, weights)
    came_from.version = TARGET
    try:
        onnx.checker.check_model(copy, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        reason = str(error).splitlines()[0]
        raise ExportError(f"the model cannot be said in opset {TARGET}, which TensorRT 8.6 needs ({reason})") from error
    return copy


def _changed(op_type: str, version: int) -> bool:
    now = onnx.defs.get_schema(op_type, version).since_version
    return bool(now > TARGET)


def _none(node: onnx.NodeProto, weights: dict[str, onnx.TensorProto]) -> None:
    raise ExportError(f"{node.op_type} {node.name}: cannot be said in opset {TARGET}, where TensorRT 8.6 ends")


def _axes_to_attribute(node: onnx.NodeProto, weights: dict[str, onnx.TensorProto]) -> None:
    """Reduce*: the axes were an attribute before they became an input."""
    names = list(node.input)
    if len(names) < 2 or not names[1]:
        return
    if names[1] not in weights:
        raise ExportError(f"{node.op_type} {node.name}: computed axes cannot be said in opset {TARGET}")
    axes = [int(axis) for axis in numpy_helper.to_array(weights[names[1]])]
    kept = [attribute for attribute in node.attribute if attribute.name != "noop_with_empty_axes"]
    del node.attribute[:], node.input[1:]
    node.attribute.extend([*kept, helper.make_attribute("axes", axes)])


def _no_axes(node: onnx.NodeProto, weights: dict[str, onnx.TensorProto]) -> None:
    """Pad: only its fourth input, the axes, is new."""
    if len(node.input) > 3 and node.input[3]:
        _none(node, weights)


def _equal_parts(node: onnx.NodeProto, weights: dict[str, onnx.TensorProto]) -> None:
    """Split: without sizes the parts are equal, as many as there are outputs; the checker refuses a remainder."""
    kept = [attribute for attribute in node.attribute if attribute.name != "num_outputs"]
    del node.attribute[:]
    node.attribute.extend(kept)


def _same(node: onnx.NodeProto, weights: dict[str, onnx.TensorProto]) -> None:
    """ScatterElements, Resize: what is new is an attribute, and the checker refuses it where it is used."""


RULES: dict[str, Callable[[onnx.NodeProto, dict[str, onnx.TensorProto]], None]] = {
    **{f"Reduce{kind}": _axes_to_attribute for kind in ("Mean", "L1", "L2", "Max", "Min", "Prod", "SumSquare")},
    **{name: _same for name in ("ScatterElements", "ScatterND", "Resize")},
    "Pad": _no_axes,
    "Split": _equal_parts,
}
