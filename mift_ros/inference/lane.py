"""One optimization profile of an engine, ready to run: an execution context, its addresses, a graph when it repeats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mift_ros.errors import ModelError
from mift_ros.inference.cuda import Graph, Stream
from mift_ros.inference.tensorrt_log import MessageLog

if TYPE_CHECKING:
    import tensorrt


class Lane:
    """Runs batches of one profile in a stream. A profile has a context of its own, so that none is ever switched."""

    def __init__(
        self,
        engine: tensorrt.ICudaEngine,
        profile: int,
        addresses: dict[str, int],
        source: str,
        image: tuple[int, int, int],
        stream: Stream,
        log: MessageLog,
        graphs: bool,
    ) -> None:
        """Make the context; `addresses` are the device's, by tensor name, `image` the shape of one input.

        Raises:
            ModelError: the GPU's memory does not hold it.
        """
        self._source, self._image, self._stream, self._log = source, image, stream, log
        self._graphs = graphs
        self._graph: Graph | None = None
        self._batch = 0
        context = _new_context(engine)
        if context is None:
            raise ModelError(self._failure("making room for the engine"))
        self._context = context
        try:
            context.set_optimization_profile_async(profile, stream.handle)
        except RuntimeError as error:  # the one call here that raises instead of returning False
            raise ModelError(self._failure("choosing its profile")) from error
        for name, address in addresses.items():
            self._require(context.set_tensor_address(name, address), f"binding {name}")
        stream.wait()

    def enqueue(self, batch: int) -> None:
        """Ask the stream for one batch of what lies in the input buffer.

        Raises:
            ModelError: TensorRT or the GPU failed.
        """
        if batch != self._batch:
            self._drop_graph()
            self._batch = 0  # should this fail, the context is left with another shape than before
            shape = (batch, *self._image)
            self._require(self._context.set_input_shape(self._source, shape), f"taking a batch of {batch}")
            self._execute()  # the first run of a shape may not be recorded: TensorRT prepares itself in it
            self._batch = batch
        elif not self._graphs:
            self._execute()
        else:
            if self._graph is None:
                self._graph = self._stream.capture(self._execute)
            self._graph.launch()

    def close(self) -> None:
        """Give the graph back; the context goes with this object."""
        self._drop_graph()

    def _execute(self) -> None:
        self._require(self._context.execute_async_v3(self._stream.handle), "running")

    def _drop_graph(self) -> None:
        if self._graph is not None:
            self._graph.close()
            self._graph = None

    def _require(self, done: bool, doing: str) -> None:
        if not done:
            raise ModelError(self._failure(doing))

    def _failure(self, doing: str) -> str:
        if self._log.out_of_memory:
            return (
                f"out of GPU memory while {doing}: close other programs that use the GPU, or build for smaller batches "
                "('mift export tensorrt --batch')"
            )
        return f"TensorRT failed while {doing}: {self._log.last}"


def _new_context(engine: tensorrt.ICudaEngine) -> tensorrt.IExecutionContext | None:
    """A context that takes memory for its own profile alone; before TensorRT 10 for the largest of them all."""
    import tensorrt as trt

    if not hasattr(trt, "ExecutionContextAllocationStrategy"):
        return engine.create_execution_context()
    return engine.create_execution_context(trt.ExecutionContextAllocationStrategy.ON_PROFILE_CHANGE)
