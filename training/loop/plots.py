"""Curves of a run."""

from __future__ import annotations

from pathlib import Path

from mift_ros.files import replacing
from training.loop.history import History

CURVES_FILE = "curves.png"
RECALL_CURVES = {
    "recall_1": "recall@1, held out",
    "recall_5": "recall@5, held out",
    "satellite_recall_1": "recall@1 of satellite queries",
    "rendered_recall_1": "recall@1, held-out rendered worlds",
}


def plot_curves(history: History, run_dir: Path) -> Path:
    """Loss, in-batch and held-out recall over the steps as RUN_DIR/curves.png; returns its path."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.0, 4.0), layout="constrained")
    FigureCanvasAgg(figure)
    loss, recall = figure.subplots(1, 2)
    loss.plot(*_column(history, "loss"), linewidth=0.8)
    loss.set(xlabel="step", ylabel="loss")
    recall.plot(*_column(history, "batch_recall"), linewidth=0.5, alpha=0.5, label="recall@1 in the batch")
    for name, label in RECALL_CURVES.items():
        steps, values = _column(history, name)
        if steps:
            recall.plot(steps, values, marker=".", label=label)
    recall.set(xlabel="step", ylabel="recall", ylim=(0.0, 1.0))
    recall.legend()
    path = run_dir / CURVES_FILE
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
    return path


def _column(history: History, name: str) -> tuple[list[float], list[float]]:
    rows = [row for row in history.rows if name in row]
    return [row["step"] for row in rows], [row[name] for row in rows]
