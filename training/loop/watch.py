"""What the main process tells of a run: progress, log, TensorBoard scalars and curves."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from training.loop.history import History
from training.loop.plots import plot_curves
from training.loop.progress import TrainingProgress
from training.loop.scalars import Scalars
from training.loop.state import TrainState


class Watch:
    """Context around the steps of a run."""

    def __init__(self, run_dir: Path, state: TrainState) -> None:
        self._run_dir = run_dir
        self._state = state
        self._history = History(run_dir, state.step)
        self._scalars = Scalars(run_dir, state.step)
        self._progress = TrainingProgress(state.steps, state.step)

    def __enter__(self) -> Watch:
        self._progress.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.__exit__(kind, error, trace)

    def note(self, row: dict[str, float], measured: dict[str, float]) -> None:
        """Show and write one finished step, and the evaluation after it where there was one."""
        self._progress.update(self._state, row)
        if measured:
            self._progress.recall(self._state.step, measured)
        self._history.append({**row, **measured})
        self._scalars.add({**row, **measured})
        if measured:
            plot_curves(self._history, self._run_dir)

    def finish(self) -> None:
        """Write the curves and what TensorBoard's writer still holds."""
        plot_curves(self._history, self._run_dir)
        self._scalars.close()
