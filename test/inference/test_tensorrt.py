"""Every way in which an engine is not loaded; running one needs a GPU and is not tested here."""

import sys
from types import ModuleType

import pytest

from mift_ros.errors import ModelError
from mift_ros.inference.engine_key import EngineKey, StaleEngineError
from mift_ros.inference.engines import engine_path, sha256_of, write_engine
from mift_ros.inference.load import describe, load_embedder
from mift_ros.inference.tensorrt import open_best_engine, open_engine_file, require_tensorrt, this_platform
from mift_ros.inference.trial import try_out


@pytest.fixture
def store(onnx, tiny, tensorrt, cuda):
    """Builds engines of batches 1 and 4, for this platform, into a folder."""

    def build(precision="fp16", **changes):
        platform = this_platform()
        key = EngineKey.of(sha256_of(onnx), precision, (1, 4), platform)
        values = {**key.__dict__, **changes}
        path = engine_path(onnx, precision, onnx.parent / "store")
        write_engine(path, b"an engine", EngineKey(**values), tiny.identity())
        return path

    return build


def test_without_tensorrt_what_to_install_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(
        ModelError, match=r"TensorRT is not installed; on a Jetson it comes with JetPack .*, elsewhere: pip"
    ):
        require_tensorrt()


def test_type_stubs_alone_are_no_tensorrt(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", ModuleType("tensorrt"))
    with pytest.raises(ModelError, match="TensorRT is not installed"):
        require_tensorrt()


def test_libraries_that_do_not_load_are_named(monkeypatch, tmp_path):
    (tmp_path / "tensorrt.py").write_text("raise ImportError('libnvinfer.so.10: cannot open shared object file')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tensorrt", raising=False)
    with pytest.raises(ModelError, match=r"TensorRT does not load \(libnvinfer\.so\.10: cannot open"):
        require_tensorrt()


def test_an_old_tensorrt_is_refused(tensorrt):
    tensorrt.__version__ = "8.5.2"
    with pytest.raises(ModelError, match=r"TensorRT 8\.5\.2 is not supported"):
        require_tensorrt()


def test_the_platform_is_tensorrt_and_the_gpu(tensorrt, cuda):
    platform = this_platform()
    assert (platform.tensorrt, platform.gpu, platform.compute_capability) == (
        "10.3.0", "Orin, 16 multiprocessors", "8.7",
    )  # fmt: skip


def test_tensorrt_without_a_gpu_is_told(tensorrt, cuda):
    cuda.fails["cudaGetDeviceCount"] = 35
    with pytest.raises(ModelError, match="no NVIDIA GPU can be used"):
        this_platform()


def test_no_engine_names_the_command_that_builds_one(onnx, monkeypatch):
    monkeypatch.setattr("mift_ros.inference.tensorrt._seems_installed", lambda: True)
    with pytest.raises(
        ModelError, match=r"no TensorRT engine of it has been built; 'mift export tensorrt .*nano\.onnx'"
    ):
        open_best_engine(onnx, onnx.parent)


def test_an_engine_of_another_model_of_the_same_name_is_never_loaded(store, onnx):
    path = store()
    onnx.write_bytes(b"a newer model")
    with pytest.raises(StaleEngineError, match=r"another ONNX model .*'mift export tensorrt .*' builds it again"):
        open_best_engine(onnx, path.parent)


def test_every_engine_that_is_refused_is_named(store, onnx):
    store("fp16", tensorrt="8.6.1")
    folder = store("fp32", gpu="Orin, 8 multiprocessors").parent
    with pytest.raises(
        StaleEngineError, match=r"fp16\.engine: built for TensorRT 8\.6\.1.*fp32\.engine: built for the GPU"
    ):
        open_best_engine(onnx, folder)


def test_an_engine_that_fails_its_trial_hides_no_other(store, onnx, tensorrt, engine, context, monkeypatch):
    engine.context, tensorrt.engine = context, engine

    def trial(embed, identity, where, remedy=""):
        if "fp16" in where:
            try_out(embed, identity, where, remedy)  # the stand-in leaves zeros

    monkeypatch.setattr("mift_ros.inference.tensorrt.try_out", trial)
    monkeypatch.setattr("mift_ros.inference.tensorrt.try_batches", lambda *_: None)
    store("fp16")
    embedder = open_best_engine(onnx, store("fp32").parent)
    assert describe(embedder).startswith("TensorRT 10.3.0 fp32 (")
    assert "fp16.engine: embeddings have norm 0 instead of 1; build it in another precision" in embedder.better[0]


def test_engines_that_find_no_memory_are_all_named_and_not_to_be_built_again(store, onnx, tensorrt):
    tensorrt.says = ["Error Code 2: OutOfMemory (Requested size was 12582912 bytes.)"]
    store("fp16")
    with pytest.raises(
        StaleEngineError, match=r"fp16\.engine: out of GPU memory .*fp32\.engine: out of GPU memory"
    ) as told:
        open_best_engine(onnx, store("fp32").parent)
    assert "mift export tensorrt" not in str(told.value)


def test_a_named_engine_of_another_machine_is_refused_and_not_replaced(store):
    path = store(compute_capability="8.9")
    with pytest.raises(
        StaleEngineError, match=r"compute capability 8\.9, not 8\.7; build it here with 'mift export tens"
    ):
        load_embedder(str(path))


def test_an_engine_that_tensorrt_refuses_is_stale_with_what_it_says(store, tensorrt):
    tensorrt.says = ["Serialization assertion failed:\nversion tag does not match"]
    with pytest.raises(
        StaleEngineError, match=r"TensorRT refuses it \(Serialization .* failed: version tag does not match\)"
    ):
        open_engine_file(store())


def test_a_tensorrt_that_does_not_start_is_told(store, tensorrt):
    def runtime(logger):
        logger.log(logger.Severity.ERROR, "CUDA initialization failure with error: 35")
        raise TypeError("pybind11::init(): factory function returned nullptr")

    path = store()
    tensorrt.Runtime = runtime
    with pytest.raises(ModelError, match=r"TensorRT does not start \(CUDA initialization failure with error: 35\)"):
        open_engine_file(path)


def test_a_gpu_without_room_for_the_engine_is_told_and_not_called_stale(store, tensorrt):
    tensorrt.says = ["Error Code 2: OutOfMemory (Requested size was 12582912 bytes.)"]
    with pytest.raises(ModelError, match="out of GPU memory while loading") as caught:
        open_engine_file(store())
    assert not isinstance(caught.value, StaleEngineError)


def test_a_gpu_without_room_for_the_buffers_is_told_and_all_is_given_back(store, tensorrt, cuda, engine):
    tensorrt.engine, cuda.fails["cudaMalloc"] = engine, 2
    with pytest.raises(ModelError, match="out of GPU memory: close other programs"):
        open_engine_file(store())
    assert sorted(cuda.freed) == ["cudaFreeHost", "cudaStreamDestroy"]


def test_a_gpu_without_room_for_a_context_is_told_and_all_is_given_back(store, tensorrt, cuda, engine):
    tensorrt.engine, tensorrt.says = engine, []
    with pytest.raises(ModelError, match="TensorRT failed while making room for the engine: it does not say why"):
        open_engine_file(store())
    assert sorted(cuda.freed) == ["cudaFree"] * 2 + ["cudaFreeHost"] * 2 + ["cudaStreamDestroy"]


def test_a_batch_that_tensorrt_refuses_is_told(store, tensorrt, engine, context):
    context.set_input_shape = lambda name, shape: False
    engine.context, tensorrt.engine = context, engine
    with pytest.raises(ModelError, match="does not run on 64x64 images: TensorRT failed while taking a batch of 2"):
        open_engine_file(store())


@pytest.mark.parametrize(("version", "strategies"), [("8.6.1", []), ("10.3.0", ["on profile change"] * 2)])
def test_each_context_takes_memory_for_its_own_profile(
    store, tensorrt, engine, context, monkeypatch, version, strategies
):
    """8.6 has no such choice: each takes as much as the largest profile needs."""
    if version == "8.6.1":
        monkeypatch.delattr(type(tensorrt), "ExecutionContextAllocationStrategy")
    tensorrt.__version__, tensorrt.engine, engine.context = version, engine, context
    with pytest.raises(ModelError, match="norm 0"):
        open_engine_file(store())
    assert engine.strategies == strategies


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"types": {"images": "half", "embedding": "float"}}, "not one of each in float32"),
        ({"get_tensor_mode": lambda name: "in"}, r"has inputs \['images', 'embedding'\] and outputs \[\]"),
        ({"shapes": {"images": (-1, 3, 96, 96), "embedding": (-1, 192)}}, r"\[\[3, 96, 96\], \[192\]\], its record"),
        (
            {"num_optimization_profiles": 1},
            r"its profiles hold batches \[\(1, 1\)\], its record says \[\(1, 1\), \(2, 4\)",
        ),
    ],
)
def test_an_engine_that_is_not_what_its_record_says_is_refused(store, tensorrt, engine, change, told):
    for name, value in change.items():
        setattr(engine, name, value)
    tensorrt.engine = engine
    with pytest.raises(StaleEngineError, match=told):
        open_engine_file(store())
