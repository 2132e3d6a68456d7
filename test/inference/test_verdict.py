"""What `mift export check` found decides whether a model may be flown."""

import logging
from dataclasses import replace

import pytest

from mift_ros.errors import ModelError
from mift_ros.inference.engine_key import EngineKey
from mift_ros.inference.engines import engine_path, sha256_of, write_engine
from mift_ros.inference.load import load_embedder
from mift_ros.inference.tensorrt import open_best_engine, this_platform
from mift_ros.inference.verdict import CheckReport, FailedCheckError, report_path, require_not_failed


@pytest.fixture
def report(tiny, onnx):
    """Of the file of the fixture `onnx`, passed."""
    return CheckReport(
        onnx.name, sha256_of(onnx), "reference.safetensors", "0" * 64, tiny.identity(), "CPUExecutionProvider",
        ("map.tif",), {"top1": 1.0}, {"top1": 0.99}, (),
    )  # fmt: skip


FAILED = ("top1 0.9500, at least 0.99",)


def test_the_report_lies_beside_the_model(onnx):
    assert report_path(onnx) == onnx.with_name("nano.onnx.check.json")


def test_without_a_report_there_is_nothing_to_refuse(onnx):
    require_not_failed(onnx)


def test_what_passed_is_flown(onnx, report, caplog):
    report_path(onnx).write_text(report.to_json())
    require_not_failed(onnx)
    assert not caplog.records


def test_what_failed_is_refused_with_its_figure_in_one_line(onnx, report):
    report_path(onnx).write_text(replace(report, failures=FAILED).to_json())
    with pytest.raises(FailedCheckError, match=r"check failed \(top1 0\.9500, at least 0\.99\)") as said:
        require_not_failed(onnx)
    assert "\n" not in str(said.value)


def test_a_report_of_another_file_is_warned_of_and_ignored(onnx, report, caplog):
    report_path(onnx).write_text(replace(report, failures=FAILED).to_json())
    onnx.write_bytes(b"a newer model")
    require_not_failed(onnx)
    assert ["nano.onnx.check.json: ignored, it is of another file" in r.getMessage() for r in caplog.records] == [True]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": 2}', '{"format": 1}', '{"format": 1, "model_sha256": "0", "verdict": "fail"}'],
)  # fmt: skip
def test_a_report_that_cannot_be_read_is_warned_of_and_ignored(onnx, caplog, text):
    caplog.set_level(logging.WARNING)
    report_path(onnx).write_text(text)
    require_not_failed(onnx)
    assert "ignored, it cannot be read" in caplog.text


def test_no_command_loads_a_model_that_failed(tiny_model_path, report):
    failed = replace(report, model_sha256=sha256_of(tiny_model_path), failures=FAILED)
    report_path(tiny_model_path).write_text(failed.to_json())
    try:
        with pytest.raises(FailedCheckError, match="its check failed"):
            load_embedder(str(tiny_model_path))
    finally:
        report_path(tiny_model_path).unlink()


def test_an_engine_that_failed_is_passed_over_with_its_reason(tiny, onnx, report, tensorrt, cuda, tmp_path):
    path = engine_path(onnx, "fp16", tmp_path)
    write_engine(path, b"an engine", EngineKey.of(sha256_of(onnx), "fp16", (1,), this_platform()), tiny.identity())
    report_path(path).write_text(replace(report, model_sha256=sha256_of(path), failures=FAILED).to_json())
    with pytest.raises(ModelError, match=r"nano\.fp16\.engine: its check failed \(top1"):
        open_best_engine(onnx, tmp_path)
