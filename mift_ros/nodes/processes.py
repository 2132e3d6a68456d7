"""Child processes that speak ROS: started with the shipped transport profile, ended in order."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

from mift_ros.nodes.transport import environment

STOP_WITHIN_S = 10.0


class RosProcess:
    """`python -m MODULE ARGS...` in DDS domain `domain_id`. A context manager.

    What it says goes to `log`, but for its standard output where `read`: then `output` must be read to its end.
    """

    def __init__(self, module: str, arguments: Sequence[str], domain_id: int, log: Path, read: bool = False) -> None:
        self._log = log
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-u", "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if read else errors,
                stderr=errors,
                env=environment(domain_id),
                text=True,
            )

    def __enter__(self) -> RosProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Interrupt, wait, and only then kill."""
        self._process.terminate()
        try:
            self._process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def output(self) -> IO[str]:
        """Its standard output, of a process that was started with `read`."""
        assert self._process.stdout is not None
        return self._process.stdout

    def interrupt(self) -> None:
        """Send what Ctrl-C sends."""
        self._process.send_signal(signal.SIGINT)

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        return self._process.wait(STOP_WITHIN_S)

    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def complaint(self) -> str:
        """The last line of its log that tells of a failure, or empty; while it runs, only what it calls an error."""
        lines = self._log.read_text(errors="replace").splitlines()
        words = ("[ERROR]", "[FATAL]") if self.running() else ("[ERROR]", "[FATAL]", "failed", "Error", "mift_ros:")
        failures = [line for line in lines if any(word in line for word in words)]
        return failures[-1] if failures else ""
