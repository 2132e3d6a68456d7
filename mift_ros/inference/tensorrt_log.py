"""TensorRT tells why it failed through its logger only: keep what it says."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from mift_ros.errors import ModelError

if TYPE_CHECKING:
    import tensorrt

logger = logging.getLogger(__name__)
Made = TypeVar("Made")


class MessageLog:
    """The errors that TensorRT reported, oldest first."""

    def __init__(self) -> None:
        self.errors: list[str] = []

    @property
    def last(self) -> str:
        """The newest error in one line."""
        return self.errors[-1] if self.errors else "it does not say why"

    @property
    def out_of_memory(self) -> bool:
        """Whether any error speaks of memory that could not be had."""
        return any("out of memory" in text.lower() or "outofmemory" in text.lower() for text in self.errors)

    def take(self, severe: bool, text: str) -> None:
        """Keep an error; show everything else to whoever debugs."""
        line = " ".join(text.split())
        if severe:
            self.errors.append(line)
        logger.debug("TensorRT: %s", line)


def collecting_logger(log: MessageLog) -> tensorrt.ILogger:
    """A logger for TensorRT that fills `log` and prints nothing."""
    import tensorrt as trt

    severe = (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR)

    class Collector(trt.ILogger):
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: tensorrt.ILogger.Severity, msg: str) -> None:
            log.take(severity in severe, msg)

    return Collector()


def created(make: Callable[[tensorrt.ILogger], Made], logger: tensorrt.ILogger, log: MessageLog) -> Made:
    """A TensorRT builder or runtime.

    Raises:
        ModelError: TensorRT does not start: no GPU that it knows, no driver for its CUDA, or no memory.
    """
    try:
        return make(logger)
    except TypeError as error:  # how its bindings report a null pointer
        raise ModelError(
            f"TensorRT does not start ({log.last}); its CUDA has to fit the driver, and the GPU has to have memory free"
        ) from error
