"""Scalars for TensorBoard, where it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

TENSORBOARD_DIR = "tensorboard"


class Scalars:
    """RUN_DIR/tensorboard with the columns of the log; steps undone by a resume are purged.

    Without the package nothing is written.
    """

    def __init__(self, run_dir: Path, resume_step: int) -> None:
        self._writer = _writer(run_dir / TENSORBOARD_DIR, resume_step)

    def add(self, row: dict[str, float]) -> None:
        """Add a row of the log."""
        if self._writer is not None:
            for name, value in row.items():
                if name != "step":
                    self._writer.add_scalar(name, value, int(row["step"]))

    def close(self) -> None:
        """Write what was added, and end."""
        if self._writer is not None:
            self._writer.close()


def _writer(folder: Path, resume_step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=resume_step + 1 if resume_step else None)
