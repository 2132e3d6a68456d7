"""Float16 where it is safe: what the graph says, and that overflow and ties do not come of it."""

from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="export needs onnx")
onnxruntime = pytest.importorskip("onnxruntime", reason="parity needs ONNX Runtime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from export.half import IN_FLOAT16, IN_FLOAT32, to_half  # noqa: E402
from mift_ros.errors import ExportError  # noqa: E402

NANO = Path(__file__).resolve().parents[2] / "mift_ros" / "weights" / "mift_nano.onnx"


def graph_of(nodes, weights=(), shape=("batch", 8), opset=17):
    """A model from x to y, both float32 [batch, 8]."""
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "xy"]
    held = [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in dict(weights).items()]
    graph = helper.make_graph(nodes, "test", ports[:1], ports[1:], held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def run(model, x):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {session.get_inputs()[0].name: x})
    return y


def types_by_operator(model):
    """Types of the first output, by operator."""
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    ports = [*inferred.value_info, *inferred.input, *inferred.output]
    types = {port.name: port.type.tensor_type.elem_type for port in ports}
    found = {}
    for node in model.graph.node:
        found.setdefault(node.op_type, set()).add(types.get(node.output[0]))
    return found


@pytest.fixture(scope="module")
def nano():
    if not NANO.is_file():
        pytest.skip("no packaged model in this tree")
    return onnx.load(NANO)


@pytest.fixture(scope="module")
def half_nano(nano):
    return to_half(nano)


def test_products_are_float16_and_norms_softmax_and_sums_float32(half_nano):
    found = types_by_operator(half_nano)
    for operator in ("Conv", "MatMul", "Gemm"):
        assert found[operator] == {TensorProto.FLOAT16}, operator
    for operator in ("LayerNormalization", "Softmax", "ReduceMean", "ReduceL2"):
        assert found[operator] == {TensorProto.FLOAT}, operator


def test_regions_are_ranked_in_float32(with_regions):
    proto, _ = with_regions
    assert types_by_operator(to_half(proto))["TopK"] == {TensorProto.FLOAT}


def test_layers_are_in_one_list_only():
    assert not IN_FLOAT16 & IN_FLOAT32


def test_input_output_and_identity_are_as_before(nano, half_nano):
    assert [*nano.graph.input, *nano.graph.output] == [*half_nano.graph.input, *half_nano.graph.output]
    assert list(nano.metadata_props) == list(half_nano.metadata_props)


def test_weights_take_half_the_room(nano, half_nano):
    assert half_nano.ByteSize() < 0.55 * nano.ByteSize()


def test_embeddings_of_textured_images_keep_their_direction(nano, half_nano):
    images = np.random.default_rng(0).normal(size=(3, 3, 128, 128)).astype(np.float32)
    cosine = (run(nano, images) * run(half_nano, images)).sum(axis=1)
    assert cosine.min() > 0.9999


@pytest.mark.parametrize("level", [-2.1, 2.6], ids=["black", "saturated"])
def test_images_without_texture_stay_finite_and_of_norm_one(half_nano, level):
    embedding = run(half_nano, np.full((1, 3, 128, 128), level, np.float32))
    assert np.linalg.norm(embedding) == pytest.approx(1.0, abs=1e-3)


def test_a_checkerboard_of_extremes_keeps_its_direction(nano, half_nano):
    board = np.where(np.indices((128, 128)).sum(axis=0) % 2, 2.6, -2.1).astype(np.float32)
    images = np.broadcast_to(board, (1, 3, 128, 128)).copy()
    assert (run(nano, images) * run(half_nano, images)).sum() > 0.999


def test_a_norm_whose_squares_overflow_float16_is_exact():
    """400 squared is 160,000; float16 ends at 65,504."""
    model = graph_of(
        [
            helper.make_node("MatMul", ["x", "w"], ["h"]),
            helper.make_node("ReduceL2", ["h"], ["n"], axes=[1], keepdims=1),
            helper.make_node("Div", ["h", "n"], ["y"]),
        ],
        {"w": 400 * np.eye(8)},
    )
    x = np.eye(8, dtype=np.float32)
    np.testing.assert_allclose(run(to_half(model), x), x, atol=1e-3)


def test_what_only_moves_numbers_takes_the_type_of_what_it_moves():
    model = graph_of(
        [
            helper.make_node("MatMul", ["x", "w"], ["h"]),
            helper.make_node("Transpose", ["h"], ["t"], perm=[1, 0]),
            helper.make_node("Transpose", ["t"], ["u"], perm=[1, 0]),
            helper.make_node("Softmax", ["u"], ["s"], axis=1),
            helper.make_node("Relu", ["s"], ["y"]),
        ],
        {"w": np.eye(8)},
    )
    found = types_by_operator(to_half(model))
    assert (found["Transpose"], found["Softmax"], found["Relu"]) == (
        {TensorProto.FLOAT16}, {TensorProto.FLOAT}, {TensorProto.FLOAT},
    )  # fmt: skip


def test_a_tensor_that_is_wanted_twice_is_cast_once():
    model = graph_of(
        [
            helper.make_node("MatMul", ["x", "w"], ["a"]),
            helper.make_node("MatMul", ["x", "w"], ["b"]),
            helper.make_node("Add", ["a", "b"], ["c"]),
            helper.make_node("Softmax", ["c"], ["y"], axis=1),
        ],
        {"w": np.eye(8)},
    )
    half = to_half(model)
    assert [node.name for node in half.graph.node if node.op_type == "Cast"] == ["x__fp16", "c__fp32"]
    assert [weight.name for weight in half.graph.initializer] == ["w__fp16"]


def test_the_model_that_was_given_is_not_changed(nano):
    before = nano.SerializeToString()
    to_half(nano)
    assert nano.SerializeToString() == before


@pytest.mark.parametrize("value", [1e5, -7e4, np.inf, np.nan])
def test_weights_beyond_float16_are_refused(value):
    weight = np.eye(8)
    weight[0, 0] = value
    with pytest.raises(ExportError, match=r"weight w reaches .*, float16 ends at 65504: keep fp32"):
        to_half(
            graph_of(
                [helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node("Relu", ["m"], ["y"])], {"w": weight}
            )
        )


def test_branches_are_refused():
    inner = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["z"])], "then", [], [helper.make_tensor_value_info("z", 1, ("batch", 8))]
    )
    model = graph_of([helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)])
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "c"))
    with pytest.raises(ExportError, match="branches or loops"):
        to_half(model)
