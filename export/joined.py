"""Convolutions that read the same map as one: the map is quantised once, and cut and multiplied once.

ONNX Runtime 1.31 leaves all but one of several layers in float32 that read the same quantised values.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

Weights = dict[str, npt.NDArray[np.float32]]


def join(graph: onnx.GraphProto, names: list[str]) -> list[str]:
    """Join convolutions of one geometry among the layers named; the names of those that are then there."""
    weights = {weight.name: numpy_helper.to_array(weight) for weight in graph.initializer}
    groups: dict[tuple[object, ...], list[onnx.NodeProto]] = defaultdict(list)
    for node in graph.node:
        if node.name in names and node.op_type == "Conv":
            attributes = sorted(attribute.SerializeToString(deterministic=True) for attribute in node.attribute)
            kind = (node.input[0], *attributes, *weights[node.input[1]].shape[1:])
            groups[kind].append(node)
    firsts = {group[0].name: group for group in groups.values() if len(group) > 1}
    gone = {node.name for group in firsts.values() for node in group}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.name in firsts:
            nodes.extend(_joined(graph, firsts[node.name], weights))
        elif node.name not in gone:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    return [name for name in names if name not in gone or name in firsts]


def _joined(graph: onnx.GraphProto, group: list[onnx.NodeProto], weights: Weights) -> list[onnx.NodeProto]:
    """One convolution under the name of the first, and what cuts its result; no bias is one of zeros."""
    kernels = [weights[node.input[1]] for node in group]
    biases = [
        weights[node.input[2]] if len(node.input) > 2 else np.zeros(len(kernel), np.float32)
        for node, kernel in zip(group, kernels)
    ]
    joined = onnx.NodeProto()
    joined.CopyFrom(group[0])
    name = joined.output[0] = f"{joined.name}_joined"
    joined.ClearField("input")
    joined.input.extend([group[0].input[0], f"{name}_kernels", f"{name}_biases"])
    widths = np.array([len(kernel) for kernel in kernels])
    for role, values in (("kernels", np.concatenate(kernels)), ("biases", np.concatenate(biases)), ("widths", widths)):
        graph.initializer.append(numpy_helper.from_array(values, f"{name}_{role}"))
    outputs = [node.output[0] for node in group]
    return [joined, helper.make_node("Split", [name, f"{name}_widths"], outputs, name=f"{name}_parts", axis=1)]
