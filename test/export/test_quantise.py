"""Float32 to int8: what the graph says, in the form that ONNX Runtime runs fast and TensorRT accepts."""

from collections import Counter

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="export needs onnx")
pytest.importorskip("onnxruntime", reason="quantisation needs ONNX Runtime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from export.quantise import to_int8  # noqa: E402
from export.tensorrt import prepare  # noqa: E402
from mift_ros.errors import ExportError  # noqa: E402
from mift_ros.inference.preprocess import Preprocessor  # noqa: E402
from mift_ros.inference.tensorrt_versions import rules  # noqa: E402


@pytest.fixture(scope="module")
def model(nano_path):
    from export.model_file import read_model

    return read_model(nano_path)


@pytest.fixture(scope="module")
def quantised(model, make_ground):
    proto, identity = model
    return to_int8(proto, Preprocessor(identity)(make_ground(8, identity.input_size, 0)))


def weights_of(proto):
    return {weight.name: numpy_helper.to_array(weight) for weight in proto.graph.initializer}


def producers(proto):
    return {name: node for node in proto.graph.node for name in node.output}


def quantised_layers(proto):
    dequantised = {name for name, node in producers(proto).items() if node.op_type == "DequantizeLinear"}
    layers = [node for node in proto.graph.node if node.op_type in ("MatMul", "Conv", "Gemm")]
    return [node for node in layers if dequantised >= set(node.input[:2])]


def test_every_scale_is_signed_and_around_zero_and_every_bias_float32(quantised):
    weights = weights_of(quantised)
    for node in quantised.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            zero = weights[node.input[2]]
            assert zero.dtype == np.int8 and not zero.any(), node.name
    assert not any(values.dtype == np.int32 for values in weights.values())


def test_activations_have_one_scale_and_output_channels_one_each(quantised):
    weights, made_by = weights_of(quantised), producers(quantised)
    for layer in quantised_layers(quantised):
        activation, weight = (made_by[name] for name in layer.input[:2])
        values = weights[weight.input[0]]
        assert weights[activation.input[1]].size == 1
        assert weights[weight.input[1]].size == values.shape[0 if layer.op_type == "Conv" else 1]
        assert np.abs(values.astype(int)).max() == 127  # TensorRT's weights end there


def test_linear_layers_and_the_convolutions_of_the_fusion_are_quantised_and_nothing_else(model, quantised):
    layers = quantised_layers(quantised)
    assert not [node for node in layers if node.op_type == "Gemm"]
    weights, made_by = weights_of(quantised), producers(quantised)
    kernels = [weights[made_by[node.input[1]].input[0]].shape[2:] for node in layers if node.op_type == "Conv"]
    assert kernels == [(3, 3)] * 10  # Table 1 of the paper
    attention = 10  # layers, each of which has query, key and value, projection, and two of the perceptron
    assert sum(node.op_type == "MatMul" for node in layers) in (4 * attention, 6 * attention)
    heads = [node for node in quantised.graph.node if node.op_type == "Gemm"]
    assert len(heads) == 4


def test_convolutions_of_one_input_have_scales_a_bit_apart(quantised):
    """Equal ones would be made one, and all but the first left in float32."""
    weights, made_by = weights_of(quantised), producers(quantised)
    pairs = [made_by[node.input[0]] for node in quantised_layers(quantised) if node.op_type == "Conv"]
    by_input = {}
    for pair in pairs:
        assert made_by[pair.input[0]].input[1] == pair.input[1]
        by_input.setdefault(made_by[pair.input[0]].input[0], []).append(float(weights[pair.input[1]]))
    assert max(len(scales) for scales in by_input.values()) == 4  # the deepest stage feeds four rows of Table 1
    for scales in by_input.values():
        assert len(set(scales)) == len(scales)
        assert max(scales) / min(scales) < 1 + 1e-6


def test_norms_softmax_and_the_ranking_of_regions_take_float32(quantised):
    counts = Counter(node.op_type for node in quantised.graph.node)
    assert counts["LayerNormalization"] == 24 and counts["Softmax"] == 10 and counts["TopK"] == 2


def test_tensorrt_is_given_the_graph_as_it_is(quantised, tmp_path):
    for version in ("10.3.0", "11.0.0"):
        assert prepare(quantised, rules(version), "int8", tmp_path / "m.onnx") is quantised


def test_the_model_that_was_given_is_not_changed(model, make_ground):
    proto, identity = model
    before = proto.SerializeToString()
    to_int8(proto, Preprocessor(identity)(make_ground(4, identity.input_size, 1)))
    assert proto.SerializeToString() == before


def test_progress_counts_the_images(model, make_ground):
    proto, identity = model
    told = []
    to_int8(proto, Preprocessor(identity)(make_ground(6, identity.input_size, 1)), lambda *step: told.append(step))
    assert told == [(0, 6), (4, 6), (6, 6)]


def gemm_model(weight, bias, **attributes):
    """Rows of an image [batch, 3, 4, 4] through one Gemm, and the mean of the rows."""
    nodes = [
        helper.make_node("Reshape", ["images", "shape"], ["rows"]),
        helper.make_node("Gemm", ["rows", "weight", "bias"], ["y"], name="linear", **attributes),
    ]
    held = {"shape": np.array([-1, 4]), "weight": weight.astype(np.float32), "bias": bias.astype(np.float32)}
    graph = helper.make_graph(
        nodes, "gemm", [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", weight.shape[0]])],
        [numpy_helper.from_array(value, name) for name, value in held.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def test_a_gemm_becomes_a_product_and_a_sum_that_say_the_same():
    import onnxruntime

    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(5, 4)), rng.normal(size=5)
    images = rng.normal(size=(8, 3, 4, 4)).astype(np.float32)
    quantised = to_int8(gemm_model(weight, bias, transB=1), images)
    session = onnxruntime.InferenceSession(quantised.SerializeToString(), providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {"images": images})
    np.testing.assert_allclose(y, images.reshape(-1, 4) @ weight.T + bias, atol=0.1)
    assert [node.op_type for node in quantised_layers(quantised)] == ["MatMul"]


def test_a_scaled_gemm_is_refused():
    with pytest.raises(ExportError, match="Gemm linear: is scaled"):
        to_int8(gemm_model(np.eye(4), np.zeros(4), alpha=2.0), np.zeros((1, 3, 4, 4), np.float32))


def test_a_model_without_linear_layers_is_refused(tiny, tmp_path):
    proto = onnx.load(tiny.write(tmp_path / "tiny.onnx"))
    with pytest.raises(ExportError, match="nothing to quantise"):
        to_int8(proto, np.zeros((1, 3, 64, 64), np.float32))
