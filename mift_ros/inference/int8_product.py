"""Products with fixed rows in int8: ONNX Runtime's integer kernels, at the rate at which the rows can be read.

A row keeps eight bits of each element and a scale of its own, a query likewise; sums are exact. Between unit vectors of
256 elements the product is off by 0.0006 (standard deviation), a sixtieth of what the likelihood takes as a step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mift_ros.errors import ModelError, first_line

if TYPE_CHECKING:
    import onnxruntime

PART_BYTES = 1 << 23
"""Of rows in one session; a few times as much is taken for a moment while it is made."""
LEVELS, ZERO = 127, 128
"""Steps on either side of zero, and what a query's zero is: the kernels multiply uint8 by int8."""


class _Part(NamedTuple):
    """Some of the rows; the session borrows their memory where it has no packed form of its own."""

    session: onnxruntime.InferenceSession
    columns: onnxruntime.OrtValue


class Int8Product:
    """Products of queries with the rows it was made of; the same for a query alone and among others, bit for bit."""

    def __init__(self, rows: npt.NDArray[np.floating[Any]]) -> None:
        """Rows [N, D] of finite values, N > 0.

        Raises:
            ModelError: no ONNX Runtime or no onnx, no such layer, or a processor on which its sums overflow.
        """
        self._count, dim = rows.shape
        part = max(1, PART_BYTES // dim)
        _check_sums(dim)
        self._parts = [_part(*_quantise(rows[at : at + part])) for at in range(0, self._count, part)]

    def __call__(self, queries: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """[Q, D] times every row: [Q, N]."""
        levels, scale = _quantise(queries)
        given = {"queries": (levels + np.int16(ZERO)).astype(np.uint8)}
        product = np.empty((len(queries), self._count), np.float32)
        start = 0
        for part in self._parts:
            (scores,) = part.session.run(None, given)
            np.multiply(scores, scale[:, None], out=product[:, start : start + scores.shape[1]])
            start += scores.shape[1]
        return product


def _quantise(rows: npt.NDArray[np.floating[Any]]) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Levels [N, D] from -127 to 127 and what a level is worth [N]."""
    single = rows.astype(np.float32)
    scale = np.abs(single).max(axis=1) / LEVELS
    scale[scale == 0.0] = 1.0
    return np.rint(single / scale[:, None]).astype(np.int8), scale


def _part(levels: npt.NDArray[np.int8], scale: npt.NDArray[np.float32]) -> _Part:
    try:
        import onnxruntime
        from onnx import TensorProto, helper, numpy_helper
    except ImportError as error:
        raise ModelError(f"{error}; install 'mift_ros[cpu]'") from error
    count, dim = levels.shape
    constants = {"one": np.float32(1.0), "zero": np.uint8(ZERO), "scale": scale}
    layer = helper.make_node(
        "MatMulIntegerToFloat", ["queries", "rows", "one", "scale", "zero"], ["product"], domain="com.microsoft"
    )
    graph = helper.make_graph(
        [layer],
        "product",
        [helper.make_tensor_value_info("queries", TensorProto.UINT8, ["Q", dim])],
        [helper.make_tensor_value_info("product", TensorProto.FLOAT, ["Q", count])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    elsewhere = graph.initializer.add(name="rows", data_type=TensorProto.INT8, dims=[dim, count])
    elsewhere.data_location = TensorProto.EXTERNAL
    elsewhere.external_data.add(key="location", value="memory")
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=7)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # memory is the limit
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = False
    columns = onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(levels.T))
    options.add_external_initializers(["rows"], [columns])
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors share no base class but Exception
        raise ModelError(f"no int8 product in this ONNX Runtime ({first_line(error)})") from error
    return _Part(session, columns)


def _check_sums(dim: int) -> None:
    """Processors without instructions for it may add two products in 16 bits, where the largest do not fit."""
    largest = np.full((1, dim), LEVELS, np.int8)
    part = _part(largest, np.ones(1, np.float32))
    for query in (ZERO + LEVELS, ZERO - LEVELS):
        (product,) = part.session.run(None, {"queries": np.full((1, dim), query, np.uint8)})
        if product[0, 0] != dim * LEVELS * (query - ZERO):
            raise ModelError("sums of int8 products overflow on this processor")
