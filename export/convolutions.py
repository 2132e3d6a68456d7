"""Convolutions as products of matrices, in an ONNX graph.

ONNX Runtime 1.31 multiplies int8 matrices 1.4 times as fast as it convolves int8 maps, and a product leaves its result
in float32, where a quantised convolution rounds it to eight bits once more.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from mift_ros.errors import ExportError

TO_LAST, TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)


class Convolutions:
    """Writes convolutions of one graph anew; those of one map share the copies of it that they need."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        """The graph is given the constants that the new nodes need; its shapes must have been inferred."""
        self._graph = graph
        self._shapes = {port.name: [d.dim_value for d in port.type.tensor_type.shape.dim] for port in graph.value_info}
        self._weights = {weight.name: weight for weight in graph.initializer}
        self._made: dict[tuple[object, ...], str] = {}
        self._nodes: list[onnx.NodeProto] = []

    def as_product(self, conv: onnx.NodeProto) -> list[onnx.NodeProto]:
        """Nodes that do what a convolution [B, C, H, W] does, the product among them under its name.

        Raises:
            ExportError: the convolution is grouped, dilated or not square, or its map has no size.
        """
        self._nodes = []
        kernel = numpy_helper.to_array(self._weights[conv.input[1]])
        stride, padding = _geometry(conv, kernel.shape)
        channels, high, wide = self._shapes.get(conv.input[0], [0] * 4)[1:]
        if not channels or not high or high != wide:
            raise ExportError(f"Conv {conv.name}: not of a square map of known size, which all of MIFT's are")
        x = self._add("Transpose", conv.input[0], perm=TO_LAST)
        if padding:
            x = self._add("Pad", x, [0, padding, padding, 0] * 2)
        side = high + 2 * padding
        result = self._around(conv, x, side, kernel) if stride == 1 else self._by_cells(conv, x, side, kernel, stride)
        if len(conv.input) > 2:
            result = self._add("Add", result, conv.input[2])
        self._nodes.append(
            helper.make_node("Transpose", [result], [conv.output[0]], name=f"{conv.name}_first", perm=TO_FIRST)
        )
        return self._nodes

    def _around(self, conv: onnx.NodeProto, x: str, side: int, kernel: npt.NDArray[np.float32]) -> str:
        """Each token with its neighbours beside it, times the whole kernel: for kernels of stride 1."""
        parts = kernel.shape[2]
        left = side - parts + 1
        if parts > 1:
            x = self._add("Concat", *self._shifted(x, parts, left), axis=3)
        return self._product(conv, x, left, kernel.transpose(2, 3, 1, 0).reshape(-1, len(kernel)))

    def _by_cells(self, conv: onnx.NodeProto, x: str, side: int, kernel: npt.NDArray[np.float32], stride: int) -> str:
        """Each cell of stride x stride tokens times every part of the kernel, and the sums where they belong.

        Tokens are copied and quantised once, where neighbours side by side would be as often as kernels overlap.
        """
        width, channels, size, _ = kernel.shape
        count, parts = side // stride, size // stride
        x = self._add("Reshape", x, [-1, count, stride, count, stride, channels])
        x = self._add("Transpose", x, perm=(0, 1, 3, 2, 4, 5))
        cells = kernel.reshape(width, channels, parts, stride, parts, stride).transpose(3, 5, 1, 2, 4, 0)
        products = self._product(conv, x, count, cells.reshape(stride**2 * channels, -1))
        first, *others = self._shifted(products, parts, count - parts + 1, width)
        for other in others:
            first = self._add("Add", first, other)
        return first

    def _shifted(self, x: str, parts: int, side: int, width: int = 0) -> list[str]:
        """Squares of a map [B, S, S, C], moved by 0 .. parts - 1 both ways: all channels, or each the next `width`."""
        if parts == 1:
            return [x]
        squares = []
        for index, (down, right) in enumerate(itertools.product(range(parts), repeat=2)):
            starts, ends, axes = [down, right], [down + side, right + side], [1, 2]
            if width:
                starts, ends, axes = [*starts, index * width], [*ends, (index + 1) * width], [*axes, 3]
            squares.append(self._add("Slice", x, starts, ends, axes))
        return squares

    def _product(self, conv: onnx.NodeProto, x: str, side: int, matrix: npt.NDArray[np.float32]) -> str:
        """The map [B, side, side, N] of rows times a matrix [K, N], which takes the place of the kernel.

        Of three dimensions, and back: ONNX Runtime 1.31 leaves a quantised product that ReLU reads in float32.
        """
        weight = f"{conv.input[1]}_matrix"
        self._graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(matrix), weight))
        rows, product = self._add("Reshape", x, [1, -1, matrix.shape[0]]), f"{conv.output[0]}_product"
        self._nodes.append(helper.make_node("MatMul", [rows, weight], [product], name=conv.name))
        return self._add("Reshape", product, [-1, side, side, matrix.shape[1]])

    def _add(self, kind: str, *inputs: str | list[int], **attributes: Any) -> str:
        """Name of the result of a node, which is added unless there is one like it."""
        names = [value if isinstance(value, str) else self._numbers(value) for value in inputs]
        key = (kind, *names, *attributes.items())
        if key not in self._made:
            self._made[key] = f"as_product_{len(self._made)}"
            self._nodes.append(helper.make_node(kind, names, [self._made[key]], name=self._made[key], **attributes))
        return self._made[key]

    def _numbers(self, values: list[int]) -> str:
        name = "numbers_" + "_".join(str(value) for value in values)
        if name not in self._weights:
            self._graph.initializer.append(numpy_helper.from_array(np.array(values, np.int64), name))
            self._weights[name] = self._graph.initializer[-1]
        return name


def _geometry(conv: onnx.NodeProto, shape: tuple[int, ...]) -> tuple[int, int]:
    """Stride and padding."""
    told = {attribute.name: helper.get_attribute_value(attribute) for attribute in conv.attribute}
    strides, pads = told.get("strides", [1, 1]), told.get("pads", [0] * 4)
    plain = told.get("group", 1) == 1 and set(told.get("dilations", [1])) == {1}
    square = shape[2] == shape[3] and len(set(strides)) == len(set(pads)) == 1
    if not plain or not square or shape[2] % strides[0]:
        raise ExportError(f"Conv {conv.name}: only whole square kernels of whole strides can be quantised")
    return strides[0], pads[0]
