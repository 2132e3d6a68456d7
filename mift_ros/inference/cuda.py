"""The CUDA runtime through NVIDIA's cuda-python: device, stream, buffers, graphs. The only file that knows it.

Every call of cuda-python returns (status, values...). Here a status other than success is one ModelError.
"""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mift_ros.errors import ModelError

OUT_OF_MEMORY = 2
"""cudaErrorMemoryAllocation."""


@dataclass(frozen=True)
class Device:
    """A GPU: its name, its multiprocessors (Jetson modules of one family share a name), compute capability."""

    name: str
    multiprocessors: int
    compute_capability: str


def load_cuda() -> Any:
    """The module with the runtime's functions, of cuda-python 12.0 or newer.

    Raises:
        ModelError: cuda-python is not installed.
    """
    for name in ("cuda.bindings.runtime", "cuda.cudart"):  # the second is what it was called before 12.6
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise ModelError(
        "cuda-python is not installed; install the one of your CUDA, e.g. pip install 'cuda-python~=12.6.0'"
    )


def current_device(cuda: Any) -> Device:
    """The first GPU.

    Raises:
        ModelError: there is none, or its driver does not fit.
    """
    try:
        (count,) = checked(cuda, cuda.cudaGetDeviceCount())
    except ModelError as error:
        raise ModelError(f"no NVIDIA GPU can be used: {error}") from error
    except RuntimeError as error:  # cuda-python 12.2 without a driver
        raise ModelError(f"no NVIDIA GPU can be used: no driver ({error})") from error
    if count < 1:
        raise ModelError("no NVIDIA GPU can be used: the driver counts none")
    (found,) = checked(cuda, cuda.cudaGetDeviceProperties(0))
    name = found.name.split(b"\0")[0].decode(errors="replace")
    return Device(name, int(found.multiProcessorCount), f"{found.major}.{found.minor}")


def checked(cuda: Any, result: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values that a call returned.

    Raises:
        ModelError: its status is not success.
    """
    status, *values = result
    if int(status) == 0:
        return tuple(values)
    if int(status) == OUT_OF_MEMORY:
        raise ModelError(
            "out of GPU memory: close other programs that use the GPU, or build for smaller batches "
            "('mift export tensorrt --batch')"
        )
    text = cuda.cudaGetErrorString(status)[1]
    reason = text.decode() if isinstance(text, bytes) else str(text)
    raise ModelError(f"CUDA: {reason} (error {int(status)})")


class Stream:
    """A CUDA stream with the calls that go through it."""

    def __init__(self, cuda: Any) -> None:
        self.cuda = cuda
        (self._stream,) = checked(cuda, cuda.cudaStreamCreate())
        self.handle = int(self._stream)
        """The stream as the number that TensorRT takes."""

    def upload(self, pinned: PinnedPair, nbytes: int) -> None:
        """Copy the first bytes of the host side to the device, in the stream's order."""
        kind = self.cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
        checked(self.cuda, self.cuda.cudaMemcpyAsync(pinned.device, pinned.address, nbytes, kind, self._stream))

    def download(self, pinned: PinnedPair, nbytes: int) -> None:
        """Copy the first bytes of the device side to the host, in the stream's order."""
        kind = self.cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        checked(self.cuda, self.cuda.cudaMemcpyAsync(pinned.address, pinned.device, nbytes, kind, self._stream))

    def wait(self) -> None:
        """Return when all that was asked for is done."""
        checked(self.cuda, self.cuda.cudaStreamSynchronize(self._stream))

    def capture(self, work: Callable[[], None]) -> Graph:
        """Record what `work` asks for as a graph, without doing it."""
        mode = self.cuda.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        checked(self.cuda, self.cuda.cudaStreamBeginCapture(self._stream, mode))
        try:
            work()
        except BaseException:  # what work says is the reason; that the recording is spoilt follows from it
            status, *graphs = self.cuda.cudaStreamEndCapture(self._stream)
            if int(status) == 0:
                self.cuda.cudaGraphDestroy(*graphs)
            raise
        (graph,) = checked(self.cuda, self.cuda.cudaStreamEndCapture(self._stream))
        return Graph(self.cuda, graph, self._stream)

    def close(self) -> None:
        """Give the stream back."""
        self.cuda.cudaStreamDestroy(self._stream)


class Graph:
    """Recorded work that is launched as a whole."""

    def __init__(self, cuda: Any, graph: Any, stream: Any) -> None:
        self._cuda, self._stream = cuda, stream
        try:
            (self._ready,) = checked(cuda, cuda.cudaGraphInstantiate(graph, 0))
        finally:
            cuda.cudaGraphDestroy(graph)

    def launch(self) -> None:
        """Do the work, in the stream's order."""
        checked(self._cuda, self._cuda.cudaGraphLaunch(self._ready, self._stream))

    def close(self) -> None:
        """Give the graph back."""
        self._cuda.cudaGraphExecDestroy(self._ready)


class PinnedPair:
    """A float32 array in page-locked host memory and as much memory on the device."""

    def __init__(self, cuda: Any, shape: tuple[int, ...]) -> None:
        self._cuda = cuda
        self.nbytes = 4 * int(np.prod(shape))
        (address,) = checked(cuda, cuda.cudaMallocHost(self.nbytes))
        self.address = int(address)
        try:
            (device,) = checked(cuda, cuda.cudaMalloc(self.nbytes))
        except ModelError:
            cuda.cudaFreeHost(self.address)
            raise
        self.device = int(device)
        memory = (ctypes.c_float * int(np.prod(shape))).from_address(self.address)
        self.host: npt.NDArray[np.float32] = np.ctypeslib.as_array(memory).reshape(shape)
        """The host side; not to be used after close."""

    def close(self) -> None:
        """Give both sides back."""
        self._cuda.cudaFree(self.device)
        self._cuda.cudaFreeHost(self.address)
