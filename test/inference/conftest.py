"""Stand-ins for modules that need a GPU: they fail in every way that TensorRT and CUDA fail in, and never infer."""

import ctypes
import sys
from types import ModuleType, SimpleNamespace

import pytest


class Logger:
    class Severity:
        INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)

    def __init__(self):
        pass


class Engine:
    """Ports and profiles of a tiny model of 64 x 64 pixels and 192 numbers, built for batches 1 and 2 to 4."""

    num_io_tensors, num_optimization_profiles = 2, 2
    context = None

    def __init__(self):
        self.strategies = []
        self.shapes = {"images": (-1, 3, 64, 64), "embedding": (-1, 192)}
        self.types = {"images": "float", "embedding": "float"}

    def get_tensor_name(self, index):
        return list(self.shapes)[index]

    def get_tensor_mode(self, name):
        return "in" if name == "images" else "out"

    def get_tensor_dtype(self, name):
        return self.types[name]

    def get_tensor_shape(self, name):
        return self.shapes[name]

    def get_tensor_profile_shape(self, name, index):
        low, high = [(1, 1), (2, 4)][index]
        return [(low, 3, 64, 64), (high, 3, 64, 64), (high, 3, 64, 64)]

    def create_execution_context(self, *strategy):
        self.strategies += strategy
        return self.context


class TensorrtStandIn(ModuleType):
    """`says` are the errors that loading an engine logs, `engine` what it gives."""

    ILogger, Builder = Logger, object
    TensorIOMode = SimpleNamespace(INPUT="in", OUTPUT="out")
    DataType = SimpleNamespace(FLOAT="float")
    ExecutionContextAllocationStrategy = SimpleNamespace(ON_PROFILE_CHANGE="on profile change")

    def __init__(self, version):
        super().__init__("tensorrt")
        self.__version__, self.says, self.engine = version, [], None

    def Runtime(self, logger):  # noqa: N802
        def deserialize(content):
            for text in self.says:
                logger.log(Logger.Severity.ERROR, text)
            return self.engine

        return SimpleNamespace(deserialize_cuda_engine=deserialize)


class CudaStandIn(ModuleType):
    """A GPU on paper: `fails` holds the status that a function ends with."""

    def __init__(self):
        super().__init__("cuda.bindings.runtime")
        self.fails, self.count, self.kept, self.freed = {}, 1, [], []
        self.cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2)

    def __getattr__(self, name):
        if not name.startswith("cuda"):
            raise AttributeError(name)
        return lambda *arguments: (self.fails[name],) if name in self.fails else self._answer(name, arguments)

    def _answer(self, name, arguments):
        if name == "cudaMallocHost":
            self.kept.append(ctypes.create_string_buffer(arguments[0]))
            return 0, ctypes.addressof(self.kept[-1])
        if "Free" in name or "Destroy" in name:
            self.freed.append(name)
        answers = {
            "cudaGetDeviceCount": self.count,
            "cudaGetDeviceProperties": SimpleNamespace(name=b"Orin\0\0", multiProcessorCount=16, major=8, minor=7),
            "cudaGetErrorString": b"a broken GPU",
            "cudaStreamCreate": 5,
            "cudaMalloc": 4096,
        }
        return (0, answers[name]) if name in answers else (0,)


@pytest.fixture
def cuda(monkeypatch):
    """CUDA's stand-in, in the place of cuda-python."""
    module = CudaStandIn()
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", module)
    return module


@pytest.fixture
def tensorrt(monkeypatch):
    """TensorRT's stand-in, in its place."""
    module = TensorrtStandIn("10.3.0")
    monkeypatch.setitem(sys.modules, "tensorrt", module)
    return module


@pytest.fixture
def engine():
    """An engine that makes no context."""
    return Engine()


@pytest.fixture
def context():
    """A context that takes everything and computes nothing."""
    return SimpleNamespace(
        set_optimization_profile_async=lambda index, stream: True,
        set_tensor_address=lambda name, address: True,
        set_input_shape=lambda name, shape: True,
        execute_async_v3=lambda stream: True,
    )


@pytest.fixture
def onnx(tmp_path):
    """A file that stands for a model: only its bytes matter to the engine store."""
    path = tmp_path / "nano.onnx"
    path.write_bytes(b"a model")
    return path
