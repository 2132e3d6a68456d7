"""Convolutions written as products compute the same, and those of one map become one."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="export needs onnx")
onnxruntime = pytest.importorskip("onnxruntime", reason="comparing needs ONNX Runtime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from export.convolutions import Convolutions  # noqa: E402
from export.joined import join  # noqa: E402
from mift_ros.errors import ExportError  # noqa: E402

RNG = np.random.default_rng(0)
MAPS = RNG.normal(size=(2, 5, 8, 8)).astype(np.float32)


def convolutions_of_one_map(*kernels, bias=True, **attributes):
    """A graph whose inputs are made by a ReLU, as only inner maps have inferred shapes."""
    held, nodes = {}, [helper.make_node("Relu", ["images"], ["map"])]
    for index, shape in enumerate(kernels):
        names = [f"w{index}", f"b{index}"][: 1 + bias]
        held |= {name: RNG.normal(size=shape if name[0] == "w" else shape[:1]).astype(np.float32) for name in names}
        nodes.append(helper.make_node("Conv", ["map", *names], [f"y{index}"], name=f"conv{index}", **attributes))
    outputs = [helper.make_tensor_value_info(f"y{index}", TensorProto.FLOAT, None) for index in range(len(kernels))]
    maps = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", *MAPS.shape[1:]])
    weights = [numpy_helper.from_array(values, name) for name, values in held.items()]
    graph = helper.make_graph(nodes, "convolutions", [maps], outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return onnx.shape_inference.infer_shapes(model)


def run(model):
    model.graph.ClearField("value_info")
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"images": MAPS})


def rewrite(model):
    convolutions, nodes = Convolutions(model.graph), []
    for node in model.graph.node:
        nodes.extend(convolutions.as_product(node) if node.op_type == "Conv" else [node])
    del model.graph.node[:]
    model.graph.node.extend(nodes)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("size", "stride", "padding"), [(1, 1, 0), (3, 1, 1), (3, 1, 0), (2, 2, 0), (4, 2, 1), (8, 2, 3), (4, 4, 0)]
)
def test_a_product_is_the_convolution(size, stride, padding, bias):
    shape = (7, 5, size, size)
    model = convolutions_of_one_map(shape, bias=bias, strides=[stride] * 2, pads=[padding] * 4)
    expected = run(onnx.ModelProto.FromString(model.SerializeToString()))
    rewrite(model)
    assert not [node for node in model.graph.node if node.op_type == "Conv"]
    np.testing.assert_allclose(run(model)[0], expected[0], atol=1e-4)


@pytest.mark.parametrize("bias", [True, False])
def test_convolutions_of_one_map_and_kind_become_one(bias):
    model = convolutions_of_one_map((4, 5, 3, 3), (2, 5, 3, 3), (3, 5, 1, 1), bias=bias)
    expected = run(onnx.ModelProto.FromString(model.SerializeToString()))
    assert join(model.graph, ["conv0", "conv1", "conv2"]) == ["conv0", "conv2"]
    assert sum(node.op_type == "Conv" for node in model.graph.node) == 2
    for one, other in zip(run(model), expected):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_layers_that_are_not_named_stay_as_they_are():
    model = convolutions_of_one_map((4, 5, 3, 3), (2, 5, 3, 3))
    assert join(model.graph, ["conv1"]) == ["conv1"]
    assert [node.name for node in model.graph.node if node.op_type == "Conv"] == ["conv0", "conv1"]


def test_a_convolution_of_another_geometry_is_refused():
    for kernel, attributes in (((5, 1, 3, 3), {"group": 5}), ((4, 5, 3, 3), {"strides": [2, 2]})):
        with pytest.raises(ExportError, match="Conv conv0: only whole square kernels of whole strides"):
            rewrite(convolutions_of_one_map(kernel, **attributes))


def test_a_map_of_unknown_size_is_refused():
    model = convolutions_of_one_map((4, 5, 3, 3))
    model.graph.ClearField("value_info")
    with pytest.raises(ExportError, match="Conv conv0: not of a square map of known size"):
        rewrite(model)
