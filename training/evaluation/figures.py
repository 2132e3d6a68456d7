"""Figures drawn without a display and written whole or not at all."""

from __future__ import annotations

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mift_ros.errors import TrainingError
from mift_ros.files import replacing

DOTS_PER_INCH = 120


def new_figure(width_in: float, height_in: float) -> Figure:
    """An empty figure on white."""
    figure = Figure(figsize=(width_in, height_in), dpi=DOTS_PER_INCH, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write as PNG; raises TrainingError where it cannot be written."""
    try:
        with replacing(path) as temporary:
            figure.savefig(temporary, format="png")
    except OSError as error:
        raise TrainingError(f"{path}: cannot be written ({error.strerror})") from error
