"""Opset 18 said in opset 17, for TensorRT 8.6."""

from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="export needs onnx")
onnxruntime = pytest.importorskip("onnxruntime", reason="parity needs ONNX Runtime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from export.opset17 import to_opset_17  # noqa: E402
from mift_ros.errors import ExportError  # noqa: E402

NANO = Path(__file__).resolve().parents[2] / "mift_ros" / "weights" / "mift_nano.onnx"


def model_of(node, constants=(), shape=(2, 6)):
    y = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, None]) for name in node.output]
    held = [numpy_helper.from_array(np.asarray(value), name) for name, value in dict(constants).items()]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    graph = helper.make_graph([node], "test", [x], y, held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def run(model, x):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})


@pytest.mark.parametrize(
    ("node", "constants"),
    [
        (helper.make_node("ReduceMean", ["x", "axes"], ["y"]), {"axes": np.array([1])}),
        (helper.make_node("ReduceL2", ["x", "axes"], ["y"]), {"axes": np.array([-1])}),
        (helper.make_node("ReduceMax", ["x"], ["y"]), {}),
        (helper.make_node("Split", ["x"], ["y", "z"], axis=1, num_outputs=2), {}),
        (helper.make_node("Pad", ["x", "pads"], ["y"]), {"pads": np.array([0, 1, 0, 2])}),
        (helper.make_node("ReduceSum", ["x", "axes"], ["y"]), {"axes": np.array([0])}),
    ],
    ids=["mean", "norm", "all axes", "equal parts", "pad", "sum, the same in both"],
)
def test_the_same_numbers_come_out(node, constants):
    model = model_of(node, constants)
    lower = to_opset_17(model)
    assert [entry.version for entry in lower.opset_import] == [17]
    x = np.random.default_rng(0).normal(size=(2, 6)).astype(np.float32)
    for expected, actual in zip(run(model, x), run(lower, x)):
        np.testing.assert_array_equal(actual, expected)


def test_the_packaged_model_computes_the_same_to_the_bit():
    if not NANO.is_file():
        pytest.skip("no packaged model in this tree")
    model = onnx.load(NANO)
    images = np.random.default_rng(0).normal(size=(2, 3, 128, 128)).astype(np.float32)
    lower = to_opset_17(model)
    np.testing.assert_array_equal(run(lower, images)[0], run(model, images)[0])
    assert list(lower.metadata_props) == list(model.metadata_props)


@pytest.mark.parametrize(
    ("node", "constants", "told"),
    [
        (helper.make_node("Mish", ["x"], ["y"], name="m"), {}, "Mish m: cannot be said in opset 17"),
        (
            helper.make_node("Pad", ["x", "pads", "", "axes"], ["y"]),
            {"pads": np.array([1, 1]), "axes": np.array([1])},
            "Pad : cannot be said in opset 17",
        ),
        (
            helper.make_node("Split", ["x"], ["y", "z", "u", "v"], axis=1, num_outputs=4),
            {},
            "cannot be said in opset 17, which TensorRT 8.6 needs",
        ),
    ],
    ids=["new layer", "axes of a pad", "parts with a remainder"],
)
def test_what_opset_17_cannot_say_is_refused(node, constants, told):
    with pytest.raises(ExportError, match=told):
        to_opset_17(model_of(node, constants))


def test_axes_that_are_computed_are_refused():
    model = model_of(helper.make_node("ReduceMean", ["x", "axes"], ["y"], name="r"))
    model.graph.input.append(helper.make_tensor_value_info("axes", TensorProto.INT64, (1,)))
    with pytest.raises(ExportError, match="ReduceMean r: computed axes cannot be said in opset 17"):
        to_opset_17(model)
