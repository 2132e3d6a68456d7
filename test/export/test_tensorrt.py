"""Building engines: what TensorRT is asked for in each version, and every way in which it does not come to an engine.

The stand-in records what it is asked and builds nothing; building needs a GPU and is not tested here.
"""

import os
import signal
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="export needs onnx")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from export.commands import app  # noqa: E402
from export.model_file import read_model  # noqa: E402
from export.tensorrt import build, prepare, why_build  # noqa: E402
from export.tensorrt_builder import Request  # noqa: E402
from export.tensorrt_monitor import Monitor  # noqa: E402
from mift_ros.errors import ExportError, ModelError  # noqa: E402
from mift_ros.inference.engine_key import EngineKey, Platform  # noqa: E402
from mift_ros.inference.engines import engine_path, read_record, sha256_of, write_engine  # noqa: E402
from mift_ros.inference.profiles import DEFAULT_BATCHES  # noqa: E402
from mift_ros.inference.tensorrt_versions import rules  # noqa: E402

GPU = ("Orin, 16 multiprocessors", "8.7")
HERE = Platform("10.3.0", *GPU)


class Names:
    """Any attribute is its own name: an enumeration."""

    def __getattr__(self, name):
        return name


class Base:
    def __init__(self, *_):
        pass


class Config:
    """Records what it is asked for."""

    def __init__(self):
        self.set, self.cleared, self.profiles, self.pools, self.caches = [], [], [], {}, []
        self.set_flag, self.clear_flag = self.set.append, self.cleared.append
        self.set_memory_pool_limit = self.pools.__setitem__
        self.refuses_profiles = False

    def add_optimization_profile(self, profile):
        self.profiles.append(profile.shapes)
        return -1 if self.refuses_profiles else len(self.profiles) - 1

    def create_timing_cache(self, content):
        return SimpleNamespace(content=content, serialize=lambda: b"measured")

    def set_timing_cache(self, cache, ignore_mismatch):
        self.caches.append((cache.content, ignore_mismatch))
        return cache.content != b"of another GPU"


class TensorrtStandIn(ModuleType):
    """A builder that records and gives `plan`."""

    ILogger = type("ILogger", (Base,), {"Severity": SimpleNamespace(INTERNAL_ERROR=0, ERROR=1)})
    IProgressMonitor = Base
    BuilderFlag = LayerType = MemoryPoolType = DataType = Names()
    NetworkDefinitionCreationFlag = SimpleNamespace(EXPLICIT_BATCH=0, STRONGLY_TYPED=1)

    def __init__(self, version):
        super().__init__("tensorrt")
        self.__version__, self.config, self.plan, self.says, self.parse_errors = version, Config(), b"a plan", [], []
        self.layers, self.flags, self.parsed = [], None, None
        self.Dims = list
        self.at_step_10, self.step_s, self.steps_done = lambda: None, 0.0, 0

    def step(self, logger, monitor):
        """One step of a build; what callbacks raise is dropped as TensorRT's bindings do."""
        try:
            time.sleep(self.step_s)
            if self.steps_done == 10:
                self.at_step_10()
            logger.log(self.ILogger.Severity.ERROR + 1, "timing a tactic")
            return monitor is None or monitor.step_complete("tactics", self.steps_done)
        except KeyboardInterrupt:
            return True

    def Builder(self, logger):  # noqa: N802
        def build(network, config):
            monitor = getattr(config, "progress_monitor", None)
            if monitor is not None:
                monitor.phase_start("tactics", None, 100)
            while self.steps_done < 100 and self.step(logger, monitor):
                self.steps_done += 1
            if monitor is not None:
                monitor.phase_finish("tactics")
            for text in self.says:
                logger.log(self.ILogger.Severity.ERROR, text)
            return self.plan

        def create_network(flags):
            self.flags = flags
            return SimpleNamespace(
                num_layers=len(self.layers),
                get_layer=self.layers.__getitem__,
                get_input=lambda index: SimpleNamespace(name="images"),
            )

        return SimpleNamespace(
            create_network=create_network,
            create_builder_config=lambda: self.config,
            create_optimization_profile=Profile,
            build_serialized_network=build,
        )

    def OnnxParser(self, network, logger):  # noqa: N802
        def parse(content):
            self.parsed = onnx.load_from_string(content)
            return not self.parse_errors

        return SimpleNamespace(
            parse=parse,
            num_errors=len(self.parse_errors),
            get_error=lambda index: SimpleNamespace(desc=lambda: self.parse_errors[index]),
        )


class Profile:
    def set_shape(self, name, low, best, high):
        self.shapes = (name, low, best, high)


class Layer:
    """A layer with one output that remembers the precision it is held in."""

    def __init__(self, kind, dtype="FLOAT", shape_tensor=False):
        self.type, self.num_outputs, self.precision, self.held = kind, 1, None, []
        self.get_output = lambda index: SimpleNamespace(dtype=dtype, is_shape_tensor=shape_tensor)
        self.set_output_type = lambda index, dtype: self.held.append(dtype)


@pytest.fixture
def trt(monkeypatch):
    """Put TensorRT's stand-in of a version in its place."""

    def place(version):
        module = TensorrtStandIn(version)
        monkeypatch.setitem(sys.modules, "tensorrt", module)
        return module

    return place


@pytest.fixture
def request_for(tiny_model_path, tmp_path):
    def make(**values):
        return Request(**{"onnx": tiny_model_path, "folder": tmp_path, **values})

    return make


def build_with(module, request):
    return build(request, Platform(module.__version__, *GPU))


@pytest.mark.parametrize(
    ("version", "precision", "network", "flags", "types"),
    [
        ("8.6.1", "fp32", 1 << 0, [], {TensorProto.FLOAT}),
        ("8.6.1", "fp16", 1 << 0, ["FP16", "OBEY_PRECISION_CONSTRAINTS"], {TensorProto.FLOAT}),
        ("10.3.0", "fp32", 1 << 1, [], {TensorProto.FLOAT}),
        ("10.3.0", "fp16", 1 << 1, [], {TensorProto.FLOAT, TensorProto.FLOAT16}),
        ("11.4.0", "fp16", 1 << 1, [], {TensorProto.FLOAT, TensorProto.FLOAT16}),
    ],
)
def test_what_each_version_is_asked_for(trt, tmp_path, tiny, version, precision, network, flags, types):
    module, path = trt(version), tmp_path / "product.onnx"
    product_model(path, tiny)
    build_with(module, Request(path, precision, (1, 36), 512, tmp_path))
    assert module.flags == network
    assert (module.config.set, module.config.cleared) == (flags, ["TF32"])
    assert module.config.pools == {"WORKSPACE": 512 << 20}
    assert {weight.data_type for weight in module.parsed.graph.initializer} == types
    assert hasattr(module.config, "progress_monitor") == (version != "8.6.1")


def product_model(path, tiny):
    """A model with weights: one for a product, one for a sum after a norm."""
    nodes = [
        helper.make_node("Flatten", ["images"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["product"]),
        helper.make_node("Softmax", ["product"], ["share"], axis=1),
        helper.make_node("Add", ["share", "b"], ["embedding"]),
    ]
    ports = [
        helper.make_tensor_value_info("images", TensorProto.FLOAT, ("batch", 3, 64, 64)),
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ("batch", 192)),
    ]
    held = [
        numpy_helper.from_array(np.zeros((3 * 64 * 64, 192), np.float32), "w"),
        numpy_helper.from_array(np.zeros(192, np.float32), "b"),
    ]
    graph = helper.make_graph(nodes, "product", ports[:1], ports[1:], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"mift": tiny.identity().to_json()})
    onnx.save(model, path)


def test_each_batch_has_a_profile_tuned_for_its_largest(trt, request_for):
    module = trt("10.3.0")
    build_with(module, request_for(precision="fp32", batches=(1, 36)))
    assert module.config.profiles == [
        ("images", [1, 3, 64, 64], [1, 3, 64, 64], [1, 3, 64, 64]),
        ("images", [2, 3, 64, 64], [36, 3, 64, 64], [36, 3, 64, 64]),
    ]


def test_8_6_holds_norms_and_softmax_in_float32_and_leaves_shapes_alone(trt, request_for):
    module = trt("8.6.1")
    kinds = ["NORMALIZATION", "SOFTMAX", "REDUCE", "UNARY", "CONVOLUTION"]
    module.layers = [*map(Layer, kinds), Layer("REDUCE", dtype="INT32"), Layer("UNARY", shape_tensor=True)]
    build_with(module, request_for(precision="fp16"))
    assert [layer.precision for layer in module.layers] == ["FLOAT"] * 4 + [None] * 3
    assert [layer.held for layer in module.layers] == [["FLOAT"]] * 4 + [[]] * 3


def test_what_was_built_is_stored_with_its_key_and_identity(trt, request_for, tiny_model_path, tiny):
    path = build_with(trt("10.3.0"), request_for(precision="fp32", batches=(4,)))
    record = read_record(path)
    assert path.name == "tiny.fp32.engine" and path.read_bytes() == b"a plan"
    assert record.key == EngineKey(sha256_of(tiny_model_path), "fp32", (4,), "10.3.0", *GPU)
    assert record.identity == tiny.identity()


def test_the_timing_cache_is_kept_and_used_again(trt, request_for, tmp_path):
    module = trt("10.3.0")
    build_with(module, request_for(precision="fp32"))
    build_with(module, request_for(precision="fp32"))
    assert module.config.caches == [(b"", False), (b"measured", False)]
    assert (tmp_path / "timing-10.3.0.cache").read_bytes() == b"measured"


def test_a_timing_cache_of_another_gpu_is_not_used(trt, request_for, tmp_path):
    module = trt("10.3.0")
    (tmp_path / "timing-10.3.0.cache").write_bytes(b"of another GPU")
    build_with(module, request_for(precision="fp32"))
    assert module.config.caches == [(b"of another GPU", False), (b"", False)]


def test_a_timing_cache_that_cannot_be_read_is_empty(trt, request_for, tmp_path):
    module = trt("10.3.0")
    (tmp_path / "timing-10.3.0.cache").symlink_to(
        "/proc/self/mem"
    )  # a file that opens, and whose first byte nobody can read
    build_with(module, request_for(precision="fp32"))
    assert module.config.caches == [(b"", False)]
    assert (tmp_path / "timing-10.3.0.cache").read_bytes() == b"measured"


def test_nothing_is_built_twice_and_the_reason_is_told(request_for, tiny_model_path, tiny):
    request = request_for(batches=(1, 36))
    key = EngineKey.of(sha256_of(tiny_model_path), "fp16", (1, 36), HERE)
    assert why_build(request, HERE) == "there is none yet"
    write_engine(request.path, b"an engine", key, tiny.identity())
    assert why_build(request, HERE) is None
    assert "TensorRT 10.3.0, not 10.13.0" in why_build(request, Platform("10.13.0", *GPU))
    assert "batches 1,36, not 1" in why_build(request_for(batches=(1,)), HERE)
    request.path.write_bytes(b"an engin")
    assert "half written" in why_build(request, HERE)


@pytest.mark.parametrize(
    ("says", "told"),
    [
        (["Error Code 2: OutOfMemory (no further information)"], "out of GPU memory while building; .*--workspace-mib"),
        (["Could not find any\nimplementation for node Erf"], r"built no engine \(Could not find any implementation"),
        ([], "built no engine .it does not say why"),
    ],
)
def test_a_build_that_fails_says_why_and_stores_nothing(trt, request_for, says, told):
    module, request = trt("10.3.0"), request_for(precision="fp32")
    module.plan, module.says = None, says
    with pytest.raises(ExportError, match=told):
        build_with(module, request)
    assert list(request.folder.iterdir()) == []


def test_a_layer_that_tensorrt_lacks_is_named(trt, request_for):
    module = trt("8.6.1")
    module.parse_errors = ["No importer registered\nfor op: Foo"]
    with pytest.raises(
        ExportError, match=r"tiny\.onnx: TensorRT 8\.6\.1 cannot read it \(No importer registered for op: Foo\)"
    ):
        build_with(module, request_for(precision="fp32"))


def test_a_refused_profile_is_told(trt, request_for):
    module = trt("10.3.0")
    module.config.refuses_profiles = True
    with pytest.raises(ExportError, match=r"refuses the profile for batches 1 to 1 of \[3, 64, 64\]"):
        build_with(module, request_for(precision="fp32"))


@pytest.mark.parametrize("version", ["8.6.1", "10.3.0"])
def test_ctrl_c_ends_the_build_and_stores_nothing(trt, request_for, version):
    """A real SIGINT, to a builder that drops what its callbacks raise and ends when it is told to, or by itself."""
    module, request = trt(version), request_for(precision="fp32")
    module.at_step_10, module.step_s = lambda: os.kill(os.getpid(), signal.SIGINT), 0.01
    with pytest.raises(KeyboardInterrupt):
        build_with(module, request)
    assert module.steps_done < 100 if version == "10.3.0" else module.steps_done == 100
    assert list(request.folder.iterdir()) == []


def test_progress_is_told_by_phase():
    seen = []
    monitor = Monitor(lambda *told: seen.append(told))
    monitor.start("fusion", 3)
    assert monitor.step("fusion", 0)
    monitor.finish("fusion")
    assert seen == [("fusion", 0, 3), ("fusion", 1, 3), ("fusion", 3, 3)]


def test_a_model_without_identity_is_refused(tiny, tmp_path):
    with pytest.raises(ExportError, match=r"anonymous\.onnx: no 'mift' metadata.*mift export onnx"):
        read_model(tiny.write(tmp_path / "anonymous.onnx"))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ExportError, match=r"none\.onnx: no such ONNX file"):
        read_model(tmp_path / "none.onnx")


@pytest.mark.parametrize("kept", [0, 1, 200, -1])
def test_a_truncated_model_is_refused(tiny_model_path, tmp_path, kept):
    path = tmp_path / "short.onnx"
    path.write_bytes(tiny_model_path.read_bytes()[:kept])
    with pytest.raises(ExportError, match=r"short\.onnx"):
        read_model(path)


@pytest.fixture
def proto(tiny_model_path):
    return onnx.load(tiny_model_path)


def test_an_opset_that_is_too_old_is_refused(proto):
    proto.opset_import[0].version = 16
    with pytest.raises(ModelError, match=r"m\.onnx: ONNX opset 16 is too old"):
        prepare(proto, rules("10.3.0"), "fp32", Path("m.onnx"))


def test_an_opset_that_is_too_new_is_refused(proto):
    proto.opset_import[0].version = 23
    with pytest.raises(
        ExportError, match=r"m\.onnx: ONNX opset 23 is newer than TensorRT reads; export it with opset 20"
    ):
        prepare(proto, rules("10.3.0"), "fp32", Path("m.onnx"))


def test_8_6_is_given_opset_17(proto):
    proto.opset_import[0].version = 18
    node = next(node for node in proto.graph.node if node.op_type == "ReduceMean")
    del node.attribute[:]
    node.input.append("axes")
    proto.graph.initializer.append(numpy_helper.from_array(np.array([1]), "axes"))
    lower = prepare(proto, rules("8.6.1"), "fp32", Path("m.onnx"))
    assert lower.opset_import[0].version == 17
    assert prepare(proto, rules("10.3.0"), "fp32", Path("m.onnx")).opset_import[0].version == 18


def test_an_unknown_precision_is_refused(proto):
    with pytest.raises(ExportError, match="precision 'bf16': choose one of fp32, fp16, int8"):
        prepare(proto, rules("10.3.0"), "bf16", Path("m.onnx"))


def quantised(proto, zero):
    first = proto.graph.node[0]
    first.input[0] = "restored"
    proto.graph.initializer.extend(
        [numpy_helper.from_array(np.float32(0.1), "scale"), numpy_helper.from_array(zero, "zero")]
    )
    proto.graph.node.insert(0, helper.make_node("DequantizeLinear", ["small", "scale", "zero"], ["restored"], name="d"))
    proto.graph.node.insert(0, helper.make_node("QuantizeLinear", ["images", "scale", "zero"], ["small"], name="q"))
    return proto


def test_int8_is_what_the_graph_says(proto):
    with pytest.raises(ExportError, match="int8 and QuantizeLinear/DequantizeLinear layers, of which it has none"):
        prepare(proto, rules("10.3.0"), "int8", Path("m.onnx"))
    signed = quantised(proto, np.int8(0))
    assert prepare(signed, rules("10.3.0"), "int8", Path("m.onnx")) is signed
    with pytest.raises(ExportError, match="fp16 and QuantizeLinear/DequantizeLinear layers, of which it has some"):
        prepare(signed, rules("10.3.0"), "fp16", Path("m.onnx"))


@pytest.mark.parametrize("zero", [np.uint8(128), np.uint8(0), np.int8(3)])
def test_int8_that_is_not_signed_around_zero_is_refused(proto, zero):
    with pytest.raises(ExportError, match=r"QuantizeLinear q is not signed and symmetric"):
        prepare(quantised(proto, zero), rules("10.3.0"), "int8", Path("m.onnx"))


def test_the_command_without_tensorrt_says_what_to_install(tiny_model_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    result = CliRunner().invoke(app, ["tensorrt", str(tiny_model_path)])
    assert isinstance(result.exception, ModelError)
    assert "TensorRT is not installed" in str(result.exception)


def test_the_command_refuses_batches_before_anything_else(tiny_model_path):
    result = CliRunner().invoke(app, ["tensorrt", str(tiny_model_path), "--batch", "36,1"])
    assert "give whole numbers that grow" in str(result.exception)


def test_the_command_leaves_an_engine_that_is_up_to_date(tiny_model_path, tmp_path, tiny, monkeypatch):
    monkeypatch.setattr("mift_ros.inference.tensorrt.this_platform", lambda: HERE)
    key = EngineKey.of(sha256_of(tiny_model_path), "fp16", DEFAULT_BATCHES, HERE)
    write_engine(engine_path(tiny_model_path, "fp16", tmp_path), b"an engine", key, tiny.identity())
    result = CliRunner().invoke(app, ["tensorrt", str(tiny_model_path), "-o", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "up to date for TensorRT 10.3.0 on Orin" in " ".join(result.output.split())


def test_the_command_does_not_keep_an_engine_that_fails_its_trial(trt, tiny_model_path, tmp_path, monkeypatch):
    trt("10.3.0")
    monkeypatch.setattr("mift_ros.inference.tensorrt.this_platform", lambda: HERE)

    def fails(path):
        raise ModelError(f"{path}: embeddings have norm nan instead of 1")

    monkeypatch.setattr("mift_ros.inference.tensorrt.open_engine_file", fails)
    arguments = ["tensorrt", str(tiny_model_path), "--precision", "fp32", "-o", str(tmp_path)]
    for _ in range(2):
        result = CliRunner().invoke(app, arguments)
        assert isinstance(result.exception, ExportError), result.output
        assert "norm nan instead of 1; the engine is not kept" in str(result.exception)
        assert not list(tmp_path.glob("*.engine*"))
