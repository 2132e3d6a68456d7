"""What a run shows while it works: a bar with loss, recall, images per second and time left."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from training.loop.state import TrainState

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

    def update(self, state: TrainState, loss: float, batch_recall: float, images_per_s: float) -> None:
        """Show one finished step."""
        text = f"loss {loss:.3f}  in-batch recall@1 {batch_recall:.0%}  {images_per_s:.0f} img/s"
        self._bar.update(self._task, completed=state.step, total=state.steps, description=text)
        if not self._console.is_terminal and (state.step % LINE_EVERY_STEPS == 0 or state.step == state.steps):
            minutes = state.trained_s / 60.0
            self._console.print(f"step {state.step}/{state.steps}  {text}  {minutes:.1f} min", soft_wrap=True)

    def recall(self, step: int, recall_1: float, recall_5: float) -> None:
        """Show an evaluation on the held-out places."""
        self._console.print(f"step {step}: held-out recall@1 {recall_1:.1%}, recall@5 {recall_5:.1%}")
