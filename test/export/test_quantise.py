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
        assert weights[weight.input[1]].size == values.shape[1]
        assert np.abs(values.astype(int)).max() == 127  # TensorRT's weights end there


def test_all_layers_but_the_heads_and_those_of_the_image_are_products_in_int8(model, quantised):
    layers = quantised_layers(quantised)
    assert {node.op_type for node in layers} == {"MatMul"}
    attention = 10  # layers, each of which has query, key and value, projection, and two of the perceptron
    embedding, reductions = 6, 4
    fusion = 6  # 10 convolutions in Table 1 of the paper, of which four look at one map and two at another
    linear = len(layers) - embedding - reductions - fusion
    assert linear in (4 * attention, 6 * attention)
    assert sum(node.op_type == "Gemm" for node in quantised.graph.node) == 4  # heads
    of_image = [node for node in quantised.graph.node if node.op_type == "Conv"]
    assert 4 <= len(of_image) <= 5


def test_onnx_runtime_runs_every_quantised_layer_in_int8(quantised, tmp_path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath, options.log_severity_level = str(tmp_path / "optimised.onnx"), 3
    onnxruntime.InferenceSession(quantised.SerializeToString(), options, providers=["CPUExecutionProvider"])
    kinds = Counter(node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node)
    assert kinds["MatMulIntegerToFloat"] == len(quantised_layers(quantised))
    assert not kinds["DequantizeLinear"]


def test_no_weight_is_left_over(quantised):
    read = {name for node in quantised.graph.node for name in node.input}
    assert {weight.name for weight in quantised.graph.initializer} <= read


def test_norms_and_softmax_take_float32(quantised):
    counts = Counter(node.op_type for node in quantised.graph.node)
    assert counts["LayerNormalization"] == 24 and counts["Softmax"] == 10


def test_the_ranking_of_regions_takes_float32(with_regions, make_ground):
    proto, identity = with_regions
    small = to_int8(proto, Preprocessor(identity)(make_ground(4, identity.input_size, 0)))
    made_by = producers(small)
    rankings = [node for node in small.graph.node if node.op_type == "TopK"]
    assert rankings
    for node in rankings:
        assert made_by[node.input[0]].op_type != "DequantizeLinear"


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
