"""What a run shows while it works: a bar with loss, recall, images per second, waiting for data, and time left."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from training.loop.state import TrainState

NAMES = {
    "recall_1": "recall@1",
    "recall_5": "recall@5",
    "ap": "AP",
    "satellite_recall_1": "satellite queries: recall@1",
    "satellite_ap": "AP",
    "rendered_recall_1": "rendered worlds: recall@1",
    "rendered_recall_5": "recall@5",
}
"""What columns of the log are called."""
LINE_EVERY_STEPS = 20
"""Where there is no terminal, a plain line this often keeps a log file readable."""


class TrainingProgress:
    """A rich progress bar on a terminal, plain lines elsewhere."""

    def __init__(self, total: int, done: int) -> None:
        self._console = Console()
        self._bar = Progress(
            TextColumn("[progress.description]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("training", total=total, completed=done)

    def __enter__(self) -> TrainingProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def update(self, state: TrainState, row: dict[str, float]) -> None:
        """Show one finished step, a row of the log."""
        text = (
            f"loss {row['loss']:.3f}  in-batch recall@1 {row['batch_recall']:.0%}  "
            f"{row['images_per_s']:.0f} img/s  data wait {row['data_wait']:.0%}"
        )
        self._bar.update(self._task, completed=state.step, total=state.steps, description=text)
        if not self._console.is_terminal and (state.step % LINE_EVERY_STEPS == 0 or state.step == state.steps):
            minutes = state.trained_s / 60.0
            self._console.print(f"step {state.step}/{state.steps}  {text}  {minutes:.1f} min", soft_wrap=True)

    def recall(self, step: int, measured: dict[str, float]) -> None:
        """Show an evaluation; its figures by their names in the log."""
        figures = "  ".join(f"{NAMES.get(name, name)} {value:.1%}" for name, value in measured.items())
        self._console.print(f"step {step}: held out  {figures}", soft_wrap=True)
