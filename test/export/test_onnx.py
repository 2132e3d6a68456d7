"""The exported model: its graph, its metadata, and that it computes what PyTorch computes."""

from collections import Counter

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="export needs PyTorch")
onnx = pytest.importorskip("onnx", reason="export needs onnx")
pytest.importorskip("onnxscript", reason="export needs onnxscript")
pytest.importorskip("onnxruntime", reason="parity needs ONNX Runtime")

from typer.testing import CliRunner  # noqa: E402

from export.commands import app  # noqa: E402
from export.model_file import check_output, write  # noqa: E402
from export.onnx import OPSET  # noqa: E402
from export.parity import Parity, compare, require  # noqa: E402
from export.weights import load  # noqa: E402
from mift_ros.errors import ExportError  # noqa: E402
from mift_ros.inference.embedder import METADATA_KEY, ModelIdentity  # noqa: E402
from mift_ros.inference.onnx import OnnxEmbedder  # noqa: E402
from training.checkpoint import identify, save_weights  # noqa: E402
from training.model.mift import build  # noqa: E402

pytestmark = pytest.mark.timeout(300)  # one export takes a quarter of a minute of one core; a busy machine takes more


@pytest.fixture(scope="module")
def network():
    """A network whose every parameter and statistic has moved, so that a forgotten one shows."""
    torch.manual_seed(0)
    model = build("mift_nano").train()
    for parameter in model.parameters():
        parameter.data += 0.02 * torch.randn_like(parameter)
    with torch.no_grad():
        model(torch.randn(8, 3, 128, 128))
    return model.eval()


@pytest.fixture(scope="module")
def exported(network, tmp_path_factory):
    """The file that `mift export onnx` makes of a checkpoint of the network."""
    folder = tmp_path_factory.mktemp("export")
    save_weights(folder / "weights.safetensors", network, "a recipe")
    result = CliRunner().invoke(app, ["onnx", str(folder / "weights.safetensors"), "-o", str(folder / "model.onnx")])
    assert result.exit_code == 0, result.output
    return folder / "model.onnx"


@pytest.fixture(scope="module")
def proto(exported):
    return onnx.load(exported)


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_onnx_runtime_agrees_with_pytorch(network, proto, batch):
    (result,) = compare(network, proto, (batch,))
    assert result.holds
    assert result.max_difference < 1e-5


def test_batch_is_symbolic_and_names_and_shapes_are_fixed(proto):
    (images,), (embedding,) = proto.graph.input, proto.graph.output
    shapes = [[d.dim_param or d.dim_value for d in port.type.tensor_type.shape.dim] for port in (images, embedding)]
    assert (images.name, embedding.name) == ("images", "embedding")
    assert shapes == [["batch", 3, 128, 128], ["batch", 256]]


def test_layer_normalisation_stays_whole(proto):
    """One per embedding layer and two per attention layer; TensorRT fuses the node, and keeps it exact in FP16."""
    operators = Counter(node.op_type for node in proto.graph.node)
    assert operators["LayerNormalization"] == 4 + 2 * sum((2, 2, 4, 2))
    assert [(entry.domain, entry.version) for entry in proto.opset_import] == [("", OPSET)]
    assert OPSET >= 17


def test_position_bias_is_folded_to_constants(network, proto):
    tables = {tuple(p.shape) for name, p in network.named_parameters() if name.endswith("bias_table")}
    constants = [tuple(initializer.dims) for initializer in proto.graph.initializer]
    assert not tables & set(constants)
    assert [shape[-3:] for shape in constants].count((4, 64, 64)) == 4  # heads, tokens, tokens of the layers of stage 3


def test_identity_travels_in_the_metadata(network, proto):
    metadata = {entry.key: entry.value for entry in proto.metadata_props}
    assert ModelIdentity.from_json(metadata[METADATA_KEY], "model.onnx") == identify(network, "a recipe")


def test_the_file_is_below_12_mb_and_names_no_source_file(proto):
    assert proto.ByteSize() < 12e6
    described = onnx.ModelProto()
    described.CopyFrom(proto)
    for initializer in described.graph.initializer:
        initializer.ClearField("raw_data")  # random bytes may spell anything
    assert b".py" not in described.SerializeToString()


def test_the_flying_backend_reads_what_was_exported(network, exported):
    embedder = OnnxEmbedder(exported)
    images = np.random.default_rng(0).integers(0, 256, (2, 128, 128, 3), dtype=np.uint8)
    mean, std = torch.tensor(embedder.identity.mean), torch.tensor(embedder.identity.std)
    with torch.no_grad():
        expected = network(((torch.from_numpy(images) / 255 - mean) / std).permute(0, 3, 1, 2))
    np.testing.assert_allclose(embedder.embed(images), expected.numpy(), atol=1e-5)


def test_nothing_but_the_model_is_left_in_the_folder(exported):
    assert sorted(path.name for path in exported.parent.iterdir()) == ["model.onnx", "weights.safetensors"]


def test_an_untrained_variant_is_the_same_for_the_same_seed():
    (_, first), (_, again), (_, other) = (load("mift_nano", seed) for seed in (3, 3, 4))
    assert first == again
    assert first.recipe == "untrained, seed 3"
    assert first.weights_sha256 != other.weights_sha256


def test_what_is_neither_checkpoint_nor_variant_is_refused():
    with pytest.raises(ExportError, match=r"mift_xl: no such checkpoint, and not a variant \(mift_s, mift_nano, "):
        load("mift_xl", seed=0)


def test_an_output_without_folder_or_name_is_refused_before_the_work(tmp_path):
    for output in (tmp_path / "none" / "model.onnx", tmp_path):
        with pytest.raises(ExportError, match="give the name of a file in an existing folder"):
            check_output(output)


def test_a_failed_write_is_one_error_and_leaves_nothing(tmp_path):
    (tmp_path / "model.onnx").mkdir()
    with pytest.raises(ExportError, match=r"model\.onnx: cannot be written"):
        write(onnx.ModelProto(), tmp_path / "model.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


@pytest.mark.parametrize(
    "result",
    [Parity(2, 1e-3, 1.0), Parity(2, 1e-5, 0.99), Parity(2, float("nan"), 1.0)],
    ids=["element", "cosine", "nan"],
)
def test_a_difference_beyond_tolerance_is_refused(result):
    with pytest.raises(ExportError, match="differs from PyTorch at batch 2"):
        require([Parity(1, 1e-6, 1.0), result])


def test_weights_that_differ_are_found_out(network, proto):
    torch.manual_seed(1)
    with pytest.raises(ExportError, match="nothing was written"):
        require(compare(build("mift_nano"), proto, (1,)))
