"""The TensorRT builder: a prepared ONNX graph to the bytes of an engine."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import onnx

from export.tensorrt_monitor import Monitor, Progress
from mift_ros.errors import ExportError
from mift_ros.files import write_file
from mift_ros.inference.embedder import ModelIdentity
from mift_ros.inference.engines import engine_path
from mift_ros.inference.profiles import DEFAULT_BATCHES, ranges
from mift_ros.inference.tensorrt_log import MessageLog, collecting_logger, created
from mift_ros.inference.tensorrt_versions import FLOAT32_LAYERS, Rules, builder_flags, holds_layers

if TYPE_CHECKING:
    import tensorrt

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """What is asked for: the model, one of PRECISIONS, the batches to tune for, memory for trying layers out."""

    onnx: Path
    precision: str = "fp16"
    batches: tuple[int, ...] = DEFAULT_BATCHES
    workspace_mib: int = 1024
    folder: Path | None = None
    """The store; None is the user's own."""

    @property
    def path(self) -> Path:
        """Where the engine will lie."""
        return engine_path(self.onnx, self.precision, self.folder)


def build_plan(
    proto: onnx.ModelProto, identity: ModelIdentity, request: Request, row: Rules, progress: Progress
) -> bytes:
    """The serialized engine.

    Raises:
        ExportError: TensorRT cannot read the graph or build it, or memory ran out.
        KeyboardInterrupt: the build was interrupted.
    """
    import tensorrt as trt

    log = MessageLog()
    told = collecting_logger(log)  # TensorRT keeps pointers: what it is given must live until the engine is built
    builder = created(trt.Builder, told, log)
    flags = 0
    for name in row.network_flags:
        flags |= 1 << int(getattr(trt.NetworkDefinitionCreationFlag, name))
    network = builder.create_network(flags)
    parser = trt.OnnxParser(network, told)
    if not parser.parse(proto.SerializeToString()):
        said = "; ".join(parser.get_error(index).desc() for index in range(parser.num_errors)) or log.last
        raise ExportError(f"{request.onnx}: TensorRT {trt.__version__} cannot read it ({' '.join(said.split())})")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, request.workspace_mib << 20)
    config.clear_flag(trt.BuilderFlag.TF32)  # what is asked for in float32 is to be float32
    for name in builder_flags(row, request.precision):
        config.set_flag(getattr(trt.BuilderFlag, name))
    if holds_layers(row, request.precision):
        _hold_in_float32(network)
    _add_profiles(builder, network, config, identity, request.batches)
    monitor = _watch(config, progress) if row.progress else None
    cache = request.path.with_name(f"timing-{trt.__version__}.cache")
    measured = _timing_cache(config, cache)
    plan = _built(builder, network, config, monitor)
    if plan is None:
        raise ExportError(_failure(request, log))
    if measured is not None:
        _keep(measured, cache)
    return bytes(plan)


def _built(
    builder: tensorrt.Builder,
    network: tensorrt.INetworkDefinition,
    config: tensorrt.IBuilderConfig,
    monitor: Monitor | None,
) -> tensorrt.IHostMemory | None:
    """What the builder gives, from a thread of its own, so that this one is told of a Ctrl-C.

    Python raises KeyboardInterrupt in its main thread alone. Were that the builder's, it would be raised inside a
    callback, and TensorRT's bindings drop whatever a callback raises.
    """
    with ThreadPoolExecutor(1, "build") as pool:
        try:
            built = pool.submit(builder.build_serialized_network, network, config)
            while not built.done():
                wait([built], timeout=0.2)  # a signal may reach another thread, which wakes nobody here
        except KeyboardInterrupt:
            if monitor is not None:
                monitor.cancelled = True
            raise  # past the end of the pool, which waits for the build's
        return built.result()


def _hold_in_float32(network: tensorrt.INetworkDefinition) -> None:
    import tensorrt as trt

    kinds = [getattr(trt.LayerType, name) for name in FLOAT32_LAYERS]
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        outputs = [layer.get_output(place) for place in range(layer.num_outputs)]
        if layer.type in kinds and all(out.dtype == trt.DataType.FLOAT and not out.is_shape_tensor for out in outputs):
            layer.precision = trt.DataType.FLOAT
            for place in range(layer.num_outputs):
                layer.set_output_type(place, trt.DataType.FLOAT)


def _add_profiles(
    builder: tensorrt.Builder,
    network: tensorrt.INetworkDefinition,
    config: tensorrt.IBuilderConfig,
    identity: ModelIdentity,
    batches: tuple[int, ...],
) -> None:
    import tensorrt as trt

    image = (3, identity.input_size, identity.input_size)
    name = network.get_input(0).name
    for smallest, largest in ranges(batches):
        profile = builder.create_optimization_profile()
        low, high = trt.Dims([smallest, *image]), trt.Dims([largest, *image])
        profile.set_shape(name, low, high, high)
        if config.add_optimization_profile(profile) < 0:
            raise ExportError(f"TensorRT refuses the profile for batches {smallest} to {largest} of {list(image)}")


def _watch(config: tensorrt.IBuilderConfig, progress: Progress) -> Monitor:
    """Attach a monitor; the builder calls it from threads of its own."""
    import tensorrt as trt

    class Reporter(trt.IProgressMonitor):
        def __init__(self, monitor: Monitor) -> None:
            trt.IProgressMonitor.__init__(self)
            self._monitor = monitor

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self._monitor.start(phase_name, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            return self._monitor.step(phase_name, step)

        def phase_finish(self, phase_name: str) -> None:
            self._monitor.finish(phase_name)

    monitor = Monitor(progress)
    monitor.reporter = Reporter(monitor)
    config.progress_monitor = monitor.reporter
    return monitor


def _timing_cache(config: tensorrt.IBuilderConfig, path: Path) -> tensorrt.ITimingCache | None:
    """What earlier builds measured, if it can be read; TensorRT itself refuses the cache of another GPU or version."""
    try:
        kept = path.read_bytes()
    except OSError:
        kept = b""
    for content in (kept, b""):
        cache = config.create_timing_cache(content)
        if cache is not None and config.set_timing_cache(cache, False):
            return cache
    return None


def _keep(cache: tensorrt.ITimingCache, path: Path) -> None:
    """For the next build; the engine, which took minutes, is not given up for it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, bytes(cache.serialize()))
    except OSError as error:
        logger.warning("%s: the timing cache cannot be written (%s)", path, error.strerror)


def _failure(request: Request, log: MessageLog) -> str:
    if log.out_of_memory:
        return (
            f"{request.onnx}: out of GPU memory while building; close other programs that use the GPU, or give a "
            f"smaller --batch or --workspace-mib (now {request.workspace_mib})"
        )
    return f"{request.onnx}: TensorRT built no engine ({log.last})"
