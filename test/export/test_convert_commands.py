"""`mift export fp16`, `int8` and `check`: files, reports, and one line for each bad input."""

import json
from dataclasses import replace

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="export needs onnx")
pytest.importorskip("onnxruntime", reason="quantisation needs ONNX Runtime")

from typer.testing import CliRunner  # noqa: E402

from export.commands import app  # noqa: E402
from export.imagery import draw_pairs  # noqa: E402
from export.model_file import name_precision, read_float_model, read_model, write  # noqa: E402
from mift_ros.errors import ExportError, MapError  # noqa: E402
from mift_ros.inference.load import load_embedder  # noqa: E402
from mift_ros.inference.verdict import FailedCheckError, report_path  # noqa: E402


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def int8_path(nano_path, map_path, tmp_path_factory):
    path = tmp_path_factory.mktemp("int8") / "nano_int8.onnx"
    result = run("int8", nano_path, "-i", map_path, "-o", path, "--tiles", 8)
    assert result.exit_code == 0, result.output
    return path


@pytest.fixture
def fp16_path(nano_path, tmp_path):
    result = run("fp16", nano_path, "-o", tmp_path / "nano_fp16.onnx")
    assert result.exit_code == 0, result.output
    return tmp_path / "nano_fp16.onnx"


def test_a_quantised_model_is_smaller_and_alone_in_its_folder(nano_path, int8_path):
    assert int8_path.stat().st_size < 0.5 * nano_path.stat().st_size
    assert [path.name for path in int8_path.parent.glob("*.onnx*")] == ["nano_int8.onnx"]


def test_both_say_their_precision_and_whose_weights_they_are(nano_path, int8_path, fp16_path):
    _, identity = read_model(nano_path)
    assert read_model(int8_path)[1] == replace(identity, precision="int8")
    assert read_model(fp16_path)[1] == replace(identity, precision="fp16")


def test_a_check_reports_beside_each_model_and_lets_them_fly(nano_path, int8_path, fp16_path, map_path):
    result = run("check", int8_path, fp16_path, "--against", nano_path, "-i", map_path, "--tiles", 100)
    for path in (int8_path, fp16_path):
        report = json.loads(report_path(path).read_text())
        assert report["reference"] == nano_path.name and report["figures"]["queries"] == 100
        assert report["identity"]["precision"] in path.name
    half = json.loads(report_path(fp16_path).read_text())
    assert half["figures"]["cosine_median"] > 0.999 and half["verdict"] == "pass", half["failures"]
    assert "verdict" in result.output


def test_a_model_whose_weights_were_spoilt_fails_its_check_and_is_not_flown(nano_path, map_path, tmp_path):
    proto, _ = read_model(nano_path)
    for weight in proto.graph.initializer:
        if weight.data_type == onnx.TensorProto.FLOAT and len(weight.dims) == 2:
            values = onnx.numpy_helper.to_array(weight)
            noise = np.random.default_rng(0).normal(0, values.std(), values.shape)
            weight.CopyFrom(onnx.numpy_helper.from_array((values + noise).astype(np.float32), weight.name))
    write(proto, tmp_path / "spoilt.onnx")
    result = run("check", tmp_path / "spoilt.onnx", "--against", nano_path, "-i", map_path, "--tiles", 100)
    assert isinstance(result.exception, ExportError)
    assert str(result.exception).startswith("spoilt.onnx: top1 0.")
    with pytest.raises(FailedCheckError, match="its check failed"):
        load_embedder(str(tmp_path / "spoilt.onnx"))


def test_other_weights_are_not_compared(nano_path, map_path, tmp_path):
    proto, identity = read_model(nano_path)
    name_precision(proto, replace(identity, weights_sha256="0" * 64), "fp32")
    write(proto, tmp_path / "other.onnx")
    result = run("check", tmp_path / "other.onnx", "--against", nano_path, "-i", map_path, "--tiles", 100)
    assert isinstance(result.exception, ExportError) and "different weights" in str(result.exception)


def test_what_is_not_float32_is_not_converted_again(int8_path, fp16_path):
    for path, told in ((int8_path, "is int8 already"), (fp16_path, "is fp16 already")):
        with pytest.raises(ExportError, match=told):
            read_float_model(path)


def test_an_old_opset_is_refused_with_the_one_needed(nano_path, tmp_path):
    proto, _ = read_model(nano_path)
    del proto.graph.node[:], proto.graph.initializer[:], proto.graph.value_info[:]
    proto.graph.node.append(onnx.helper.make_node("Identity", ["images"], ["embedding"]))
    proto.opset_import[0].version = 13
    write(proto, tmp_path / "old.onnx")
    with pytest.raises(ExportError, match=r"old\.onnx: ONNX opset 13 is too old, LayerNormalization needs 17"):
        read_float_model(tmp_path / "old.onnx")


@pytest.mark.parametrize("kept", [0, 1000])
@pytest.mark.parametrize("command", ["fp16", "int8"])
def test_half_a_file_is_refused_in_one_line(command, kept, nano_path, map_path, tmp_path):
    (tmp_path / "half.onnx").write_bytes(nano_path.read_bytes()[:kept])
    imagery = ["-i", map_path] if command == "int8" else []
    result = run(command, tmp_path / "half.onnx", "-o", tmp_path / "out.onnx", *imagery)
    assert isinstance(result.exception, ExportError) and "\n" not in str(result.exception)
    assert "half.onnx" in str(result.exception)
    assert not (tmp_path / "out.onnx").exists()


def test_a_model_without_identity_is_refused(tiny, tmp_path):
    path = tiny.write(tmp_path / "anonymous.onnx")
    result = run("fp16", path, "-o", tmp_path / "out.onnx")
    assert "no 'mift' metadata" in str(result.exception)


def test_the_same_seed_draws_the_same_pairs_and_another_does_not(map_path):
    first, again, other = (draw_pairs([str(map_path)], 64, 50.0, 3, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.looks, again.looks)
    np.testing.assert_array_equal(first.tiles, again.tiles)
    assert (first.tiles != other.tiles).any()
    assert first.tiles.shape == first.looks.shape == (3, 64, 64, 3)


def test_imagery_smaller_than_a_tile_is_refused(map_path):
    with pytest.raises(ExportError, match="nothing wider than 1125 m"):
        draw_pairs([str(map_path)], 128, 900.0, 1, 0)


def test_imagery_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(MapError, match="absent"):
        draw_pairs([str(tmp_path / "absent.tif")], 64, 50.0, 1, 0)
