"""How far a build is, told to whoever shows it."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with the builder's phase, its steps done and their number."""


class Monitor:
    """Phases of a build and how far they are; setting `cancelled` ends the build at its next step."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._steps: dict[str, int] = {}
        self.cancelled = False
        self.reporter: object = None
        """What TensorRT calls; it has to live as long as the build."""

    def start(self, phase: str, steps: int) -> None:
        """A phase begins, of so many steps."""
        self._steps[phase] = steps
        self._tell(phase, 0)

    def step(self, phase: str, step: int) -> bool:
        """Step number `step`, from 0, is done; returns whether to go on."""
        self._tell(phase, step + 1)
        return not self.cancelled

    def finish(self, phase: str) -> None:
        """A phase ends, perhaps before its last step."""
        self._tell(phase, self._steps.get(phase, 0))

    def _tell(self, phase: str, done: int) -> None:
        self._progress(phase, done, self._steps.get(phase, 0))
