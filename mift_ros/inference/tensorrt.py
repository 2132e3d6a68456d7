"""The TensorRT backend: an engine from the store, on a CUDA stream, through page-locked buffers. No PyCUDA."""

from __future__ import annotations

import importlib
import importlib.util
import threading
import weakref
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mift_ros.errors import ModelError
from mift_ros.inference.cuda import PinnedPair, Stream, current_device, load_cuda
from mift_ros.inference.embedder import ModelIdentity
from mift_ros.inference.engine_key import EngineKey, EngineRecord, Platform, StaleEngineError
from mift_ros.inference.engines import check_key, engine_path, is_stored, read_engine, read_record, sha256_of
from mift_ros.inference.lane import Lane
from mift_ros.inference.preprocess import Preprocessor
from mift_ros.inference.profiles import profile_for, ranges
from mift_ros.inference.tensorrt_log import MessageLog, collecting_logger, created
from mift_ros.inference.tensorrt_versions import rules
from mift_ros.inference.trial import try_batches, try_out
from mift_ros.inference.verdict import FailedCheckError, require_not_failed

if TYPE_CHECKING:
    import tensorrt

FASTEST_FIRST = ("int8", "fp16", "fp32")
TRIAL_REMEDY = "build it in another precision ('mift export tensorrt --precision')"


class TensorrtEmbedder:
    """A MIFT model as a TensorRT engine; implements Embedder. Calls from several threads take turns."""

    def __init__(self, path: Path, record: EngineRecord, graphs: bool = False) -> None:
        """Load and try an engine whose key has been checked; `graphs` replays a repeated batch as a CUDA graph.

        Raises:
            StaleEngineError: half written, altered, or refused by TensorRT.
            ModelError: no TensorRT, no GPU, not enough of its memory, or outputs that are not embeddings.
        """
        require_tensorrt()
        self._record, self._log = record, MessageLog()
        self.better: list[str] = []
        """Why each engine that would be better is not in use, in words."""
        self._resources = ExitStack()
        weakref.finalize(self, self._resources.close)
        self._lock = threading.Lock()
        self._preprocess = Preprocessor(record.identity)
        try:
            self._allocate(self._deserialize(read_engine(path, record), path), path, graphs)
            try_out(self.embed, record.identity, str(path), TRIAL_REMEDY)
            try_batches(
                self.embed, tuple(smallest for smallest, _ in ranges(record.key.batches)), self.identity, str(path)
            )
        except BaseException:  # what comes in the place of this engine needs the memory
            self.close()
            raise

    @property
    def identity(self) -> ModelIdentity:
        """Name, preprocessing and weights of the model that the engine was built from."""
        return self._record.identity

    @property
    def provider(self) -> str:
        """What runs, e.g. 'TensorRT 10.3.0 fp16'."""
        return f"TensorRT {self._record.key.tensorrt} {self._record.key.precision}"

    @property
    def batches(self) -> tuple[int, ...]:
        """Largest batch of each profile."""
        return self._record.key.batches

    def embed(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Embed RGB images [B, H, W, 3] uint8; returns [B, embedding_dim] float32, each row of norm 1.

        Raises:
            ImageError: the images are not uint8 [B, H, W, 3].
            ModelError: the GPU failed.
        """
        tensor = self._preprocess(images)
        embeddings = np.empty((len(tensor), self.identity.embedding_dim), np.float32)
        largest = self.batches[-1]
        with self._lock:
            for start in range(0, len(tensor), largest):
                part = tensor[start : start + largest]
                embeddings[start : start + len(part)] = self._run(part)
        return embeddings

    def close(self) -> None:
        """Give the GPU memory back; the embedder cannot be used after it."""
        self._resources.close()

    def _deserialize(self, plan: bytes, path: Path) -> tensorrt.ICudaEngine:
        import tensorrt as trt

        logger = collecting_logger(self._log)
        runtime = created(trt.Runtime, logger, self._log)
        engine = runtime.deserialize_cuda_engine(plan)
        if engine is None:
            if self._log.out_of_memory:
                raise ModelError(f"{path}: out of GPU memory while loading; close other programs that use the GPU")
            raise StaleEngineError(f"{path}: TensorRT refuses it ({self._log.last})")
        kept: list[object] = [logger, runtime, engine]  # each must outlive the next: cleared from the end
        self._resources.callback(kept.clear)
        return engine

    def _allocate(self, engine: tensorrt.ICudaEngine, path: Path, graphs: bool) -> None:
        identity, batches = self.identity, self.batches
        image = (3, identity.input_size, identity.input_size)
        source, target = _ports(engine, self._record, path)
        cuda = load_cuda()
        self._stream = Stream(cuda)
        self._resources.callback(self._stream.close)
        self._images = PinnedPair(cuda, (batches[-1], *image))
        self._resources.callback(self._images.close)
        self._embeddings = PinnedPair(cuda, (batches[-1], identity.embedding_dim))
        self._resources.callback(self._embeddings.close)
        addresses = {source: self._images.device, target: self._embeddings.device}
        self._lanes = [
            Lane(engine, index, addresses, source, image, self._stream, self._log, graphs)
            for index in range(len(batches))
        ]
        for lane in self._lanes:
            self._resources.callback(lane.close)
        self._resources.callback(self._lanes.clear)
        self._log.errors.clear()  # 8.6 complains of each further context before it is told its profile

    def _run(self, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        batch = len(tensor)
        self._images.host[:batch] = tensor
        self._stream.upload(self._images, tensor.nbytes)
        self._lanes[profile_for(self.batches, batch)].enqueue(batch)
        self._stream.download(self._embeddings, 4 * batch * self.identity.embedding_dim)
        self._stream.wait()
        return self._embeddings.host[:batch]


def require_tensorrt() -> str:
    """The version of the installed TensorRT.

    Raises:
        ModelError: none is installed, its libraries do not load, or it is of an unsupported version.
    """
    install = "on a Jetson it comes with JetPack (apt install python3-libnvinfer), elsewhere: pip install tensorrt-cu12"
    try:
        module = importlib.import_module("tensorrt")
    except ImportError as error:
        if error.name == "tensorrt":
            raise ModelError(f"TensorRT is not installed; {install}") from error
        raise ModelError(f"TensorRT does not load ({str(error).splitlines()[0]}); {install}") from error
    if not hasattr(module, "Builder"):  # type stubs alone, or a folder of that name
        raise ModelError(f"TensorRT is not installed; {install}")
    version = str(module.__version__)
    rules(version)
    return version


def _seems_installed() -> bool:
    found = importlib.util.find_spec("tensorrt")
    return found is not None and found.origin is not None  # stubs alone have none


def this_platform() -> Platform:
    """What engines built here are tied to.

    Raises:
        ModelError: no TensorRT, no cuda-python, no GPU.
    """
    version = require_tensorrt()
    device = current_device(load_cuda())
    return Platform(version, f"{device.name}, {device.multiprocessors} multiprocessors", device.compute_capability)


def open_best_engine(onnx: Path, folder: Path | None = None, graphs: bool = False) -> TensorrtEmbedder:
    """The engine in the store that was built from this very ONNX file, here; int8 before fp16 before fp32.

    Raises:
        StaleEngineError: there are engines, and none can be used, or the store cannot be read; the message says why.
        ModelError: there is no engine.
    """
    found = [path for name in FASTEST_FIRST if is_stored(path := engine_path(onnx, name, folder))]
    if not found and not _seems_installed():  # importing it takes a second, and brings nothing
        raise ModelError("TensorRT is not installed")
    if not found:
        raise ModelError(f"no TensorRT engine of it has been built; 'mift export tensorrt {onnx}' builds one")
    try:
        platform = this_platform()
    except ModelError as error:
        raise StaleEngineError(f"{found[0]}: not used: {error}") from error
    sha256, remedy = sha256_of(onnx), ""
    refused: list[str] = []  # text: the errors themselves would hold the engines' memory
    for path in found:
        try:
            require_not_failed(path)
            record = read_record(path)
            check_key(path, record, EngineKey.of(sha256, record.key.precision, record.key.batches, platform))
            embedder = TensorrtEmbedder(path, record, graphs)
            embedder.better += refused
            return embedder
        except ModelError as error:
            refused.append(str(error))
            if isinstance(error, (StaleEngineError, FailedCheckError)):
                remedy = f"; 'mift export tensorrt {onnx}' builds it again"
    raise StaleEngineError("; ".join(refused) + remedy)


def open_engine_file(path: Path, graphs: bool = False) -> TensorrtEmbedder:
    """One named engine, whatever ONNX file it came from.

    Raises:
        StaleEngineError: built on another machine or for another TensorRT, half written, altered.
        ModelError: nothing to run it.
    """
    platform = this_platform()
    record = read_record(path)
    here = replace(
        record.key, tensorrt=platform.tensorrt, gpu=platform.gpu, compute_capability=platform.compute_capability
    )
    try:
        check_key(path, record, here)
    except StaleEngineError as error:
        raise StaleEngineError(f"{error}; build it here with 'mift export tensorrt'") from error
    return TensorrtEmbedder(path, record, graphs)


def _ports(engine: tensorrt.ICudaEngine, record: EngineRecord, path: Path) -> tuple[str, str]:
    """Names of the one input and the one output, whatever they are; their types and shapes are checked."""
    import tensorrt as trt

    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    sources = [name for name in names if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
    targets = [name for name in names if engine.get_tensor_mode(name) == trt.TensorIOMode.OUTPUT]
    types = {engine.get_tensor_dtype(name) for name in names}
    if len(sources) != 1 or len(targets) != 1 or types != {trt.DataType.FLOAT}:
        raise StaleEngineError(f"{path}: has inputs {sources} and outputs {targets}, not one of each in float32")
    shapes = [_shape(engine.get_tensor_shape(name))[1:] for name in (sources[0], targets[0])]
    identity = record.identity
    if shapes != [[3, identity.input_size, identity.input_size], [identity.embedding_dim]]:
        raise StaleEngineError(f"{path}: takes and gives {shapes}, its record says another size")
    built = [
        (int(smallest[0]), int(largest[0]))
        for smallest, _, largest in (
            engine.get_tensor_profile_shape(sources[0], index) for index in range(engine.num_optimization_profiles)
        )
    ]
    if built != ranges(record.key.batches):
        raise StaleEngineError(
            f"{path}: its profiles hold batches {built}, its record says {ranges(record.key.batches)}"
        )
    return sources[0], targets[0]


def _shape(dims: tensorrt.Dims) -> list[int]:
    return [int(dims[index]) for index in range(len(dims))]
