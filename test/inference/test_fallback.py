"""Engine, then ONNX Runtime with TensorRT, CUDA, CPU: which is used, and that it is said why not a better one."""

import logging
import sys
from pathlib import Path

import numpy as np
import pytest

from mift_ros.errors import ModelError
from mift_ros.inference.engine_key import EngineKey
from mift_ros.inference.engines import default_folder, engine_path, sha256_of, write_engine
from mift_ros.inference.load import describe, load_embedder
from mift_ros.inference.providers import CPU, CUDA, TENSORRT, in_order, options_of, why_not
from mift_ros.inference.tensorrt import this_platform

onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture(autouse=True)
def cpu_only(monkeypatch):
    """The runtime as on a machine without a GPU, whatever machine this is."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CPU])


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO, logger="mift_ros.inference.load")
    return lambda: [(record.levelname, record.getMessage()) for record in caplog.records if "runs on" in record.message]


def test_providers_are_tried_fastest_first_and_cpu_always():
    assert in_order([CPU, CUDA, "OpenVINOExecutionProvider", TENSORRT]) == [TENSORRT, CUDA, CPU]
    assert in_order([CUDA, CPU]) == [CUDA, CPU]
    assert in_order([]) == [CPU]


def test_absent_providers_are_told():
    assert why_not([CPU]) == ["this ONNX Runtime has no TensorRT and no CUDA provider"]
    assert why_not([CUDA, CPU]) == ["this ONNX Runtime has no TensorRT provider"]
    assert why_not([TENSORRT, CUDA, CPU]) == []


def test_only_tensorrt_is_told_shapes_and_limited_in_its_batch(tiny_model_path, tmp_path, monkeypatch):
    monkeypatch.setenv("MIFT_ENGINES", str(tmp_path / "not" / "there yet"))
    assert options_of(CUDA, tiny_model_path, "images", 128) == (sys.maxsize, {})
    most, options = options_of(TENSORRT, tiny_model_path, "images", 128)
    assert most == 54
    assert options["trt_profile_min_shapes"] == "images:1x3x128x128"
    assert options["trt_profile_opt_shapes"] == "images:3x3x128x128"
    assert options["trt_profile_max_shapes"] == "images:54x3x128x128"
    folder = Path(options["trt_engine_cache_path"])
    assert folder.is_dir() and default_folder() in folder.parents


def test_onnx_runtimes_engines_are_those_of_the_same_weights(tiny, tmp_path, monkeypatch):
    """It knows them by the file's name and the graph alone."""
    monkeypatch.setenv("MIFT_ENGINES", str(tmp_path / "engines"))
    model = tiny.write(tmp_path / "model.onnx", tiny.identity())
    before = options_of(TENSORRT, model, "images", 64)[1]["trt_engine_cache_path"]
    assert options_of(TENSORRT, model, "images", 64)[1]["trt_engine_cache_path"] == before
    tiny.write(model, tiny.identity(weights_sha256="cd" * 32))
    assert options_of(TENSORRT, model, "images", 64)[1]["trt_engine_cache_path"] != before


def test_engines_that_nobody_can_keep_are_told_in_one_line(tiny_model_path, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MIFT_ENGINES", str(tmp_path / "file"))
    with pytest.raises(ModelError, match="cannot be written"):
        options_of(TENSORRT, tiny_model_path, "images", 64)


def test_one_line_says_what_runs_and_why_nothing_better(tiny_model_path, lines, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    embedder = load_embedder(str(tiny_model_path), threads=1)
    said = "CPUExecutionProvider (TensorRT is not installed; this ONNX Runtime has no TensorRT and no CUDA provider)"
    assert lines() == [("INFO", f"tiny.onnx runs on {said}")]
    assert describe(embedder) == said


def test_a_stale_engine_is_a_warning_and_never_loaded(tiny, tiny_model_path, lines, tensorrt, cuda):
    key = EngineKey.of(sha256_of(tiny_model_path), "fp16", (1,), this_platform())
    path = engine_path(tiny_model_path, "fp16")
    write_engine(path, b"an engine", EngineKey(**{**key.__dict__, "tensorrt": "8.6.1"}), tiny.identity())
    try:
        embedder = load_embedder(str(tiny_model_path), threads=1)
    finally:
        path.unlink()
    ((level, line),) = lines()
    assert level == "WARNING"
    assert "tiny.onnx runs on CPUExecutionProvider" in line
    assert "built for TensorRT 8.6.1, not 10.3.0; 'mift export tensorrt" in line
    assert embedder.provider == CPU


def test_a_store_that_cannot_be_looked_into_falls_back_with_a_warning(tiny_model_path, lines, monkeypatch):
    monkeypatch.setenv("MIFT_ENGINES", "/" + "x" * 300)
    assert load_embedder(str(tiny_model_path), threads=1).provider == CPU
    ((level, line),) = lines()
    assert level == "WARNING" and "tiny.int8.engine: cannot be read (File name too long)" in line


def test_an_engine_without_a_gpu_falls_back(tiny, tiny_model_path, lines, tensorrt, cuda):
    key = EngineKey.of(sha256_of(tiny_model_path), "fp16", (1,), this_platform())
    path = engine_path(tiny_model_path, "fp16")
    write_engine(path, b"an engine", key, tiny.identity())
    cuda.fails["cudaGetDeviceCount"] = 100
    try:
        load_embedder(str(tiny_model_path), threads=1)
    finally:
        path.unlink()
    ((level, line),) = lines()
    assert level == "WARNING" and "no NVIDIA GPU can be used" in line


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_provider_whose_libraries_do_not_load_is_told_and_the_next_is_used(tiny_model_path, lines, monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    embedder = load_embedder(str(tiny_model_path), threads=1)
    if embedder.provider == CUDA:
        pytest.skip("this machine has the provider")
    assert embedder.provider == CPU
    assert "ONNX Runtime's CUDA provider failed: its libraries do not load" in lines()[0][1]


@pytest.fixture
def gpu(monkeypatch):
    """ONNX Runtime as if built for a GPU, which has no memory left; gives the providers that it was asked for."""
    asked = []

    class Session(onnxruntime.InferenceSession):
        def _create_inference_session(self, providers, *others):
            asked.append([name if isinstance(name, str) else name[0] for name in providers])
            if asked[-1] != [CPU]:
                self._fallback_providers = [CPU]  # what the real one does before it fails
                raise RuntimeError("CUDA failure 2: out of memory ; GPU=0")
            super()._create_inference_session(providers, *others)

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [TENSORRT, CUDA, CPU])
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    return asked


def test_a_provider_that_fails_is_told_with_its_reason(tiny_model_path, lines, gpu, capfd):
    embedder = load_embedder(str(tiny_model_path), threads=1)
    assert embedder.provider == CPU
    for name in ("TensorRT", "CUDA"):
        assert f"ONNX Runtime's {name} provider failed: CUDA failure 2: out of memory" in lines()[0][1]
    assert "not a complete ONNX model" not in lines()[0][1]
    assert "Falling back" not in capfd.readouterr().out


def test_what_tensorrt_does_not_take_is_left_to_cuda(tiny_model_path, gpu):
    load_embedder(str(tiny_model_path), threads=1)
    assert [providers for providers in gpu if providers != [CPU]] == [[TENSORRT, CUDA, CPU], [CUDA, CPU]]


@pytest.mark.parametrize("available", [[CPU], [CUDA, CPU]])
def test_pip_s_cuda_is_loaded_before_a_gpu_is_asked_for(tiny_model_path, gpu, monkeypatch, capsys, available):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: available)
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: print("libcudnn.so.9 is", len(gpu)), raising=False)
    load_embedder(str(tiny_model_path), threads=1)
    assert capsys.readouterr() == ("", "libcudnn.so.9 is 0\n" if CUDA in available else "")


def test_a_gpu_that_fails_in_flight_is_not_replaced_unsaid(tiny_model_path, noise_images):
    embedder = load_embedder(str(tiny_model_path), threads=1)
    state = onnxruntime.capi.onnxruntime_pybind11_state

    class Failing:
        def __init__(self, session):
            self._session = session

        def __getattr__(self, name):
            return getattr(self._session, name)

        def run(self, *_):
            raise state.EPFail("CUDA failure 700: an illegal memory access was encountered")

    embedder._session._sess = Failing(embedder._session._sess)
    with pytest.raises(ModelError, match="ONNX Runtime failed: CUDA failure 700"):
        embedder.embed(noise_images)


def test_batches_beyond_the_largest_are_embedded_in_parts(tiny_model_path, noise_images, monkeypatch):
    expected = load_embedder(str(tiny_model_path)).embed(noise_images)
    monkeypatch.setattr("mift_ros.inference.onnx.options_of", lambda *_: (3, {}))
    in_parts = load_embedder(str(tiny_model_path)).embed(noise_images)
    np.testing.assert_allclose(in_parts, expected, atol=1e-6)


def test_a_named_engine_is_not_replaced_by_another_runtime(tmp_path, tensorrt, cuda):
    with pytest.raises(ModelError, match=r"absent\.engine: no such engine"):
        load_embedder(str(tmp_path / "absent.engine"))
