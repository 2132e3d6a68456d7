"""The first Ctrl-C asks a long job to save and end; the second one ends it at once."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType


class Interrupt:
    """Context in which SIGINT only sets `requested`; meaningful in the main thread."""

    def __init__(self) -> None:
        self.requested = False

    def __enter__(self) -> Interrupt:
        self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        signal.signal(signal.SIGINT, self._before)
