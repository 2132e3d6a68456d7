"""Fig. 12 of the paper: queries with the first images of their rankings, right ones framed green, wrong ones red."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.data.multiview.dataset import Task
from training.data.multiview.images import Pixels, read_image
from training.evaluation.extract import Embedded
from training.evaluation.figures import new_figure, save_figure
from training.evaluation.ranking import nearest

TOP = 5
TILE_PX = 128
FRAME_PX = 6
GAP_PX = 4
ASIDE_PX = 24
"""Between the query and its ranking, where the dashed line runs."""
GREEN, RED, WHITE = (0, 160, 60), (210, 30, 40), (255, 255, 255)
CELL_PX = TILE_PX + 2 * FRAME_PX
TITLE_IN = 0.35


@dataclass(frozen=True)
class SheetRow:
    """A query, its class, and the files and classes of the first images of its ranking."""

    query: Path
    label: int
    found: tuple[Path, ...]
    found_labels: tuple[int, ...]


@dataclass(frozen=True)
class Sheet:
    """Some rows of one task."""

    title: str
    rows: tuple[SheetRow, ...]


def make_sheet(task: Task, embedded: Embedded) -> Sheet:
    """Rank the gallery for every query of the task; raises TrainingError for an empty set."""
    (queries, _), (gallery, _) = embedded.of(task.queries), embedded.of(task.gallery)
    ranked = nearest(queries, gallery, TOP).cpu().numpy()
    rows = [
        SheetRow(path, int(label), tuple(task.gallery.files[i] for i in order), _labels(task, order))
        for path, label, order in zip(task.queries.files, task.queries.labels, ranked)
    ]
    return Sheet(task.name, tuple(rows))


def compose(sheet: Sheet) -> Pixels:
    """The sheet as one RGB image: a row of the query, a dashed line and the framed images of its ranking per query."""
    return np.concatenate([_compose_row(row) for row in sheet.rows])


def tile_corner(row: int, column: int) -> tuple[int, int]:
    """Top and left pixel of a cell, frame included; column 0 is the query."""
    aside = ASIDE_PX if column else 0
    return row * (CELL_PX + GAP_PX), column * (CELL_PX + GAP_PX) + aside


def draw_sheets(sheets: Sequence[Sheet], path: Path) -> None:
    """All sheets side by side as PNG, classes written above the images; raises TrainingError for a damaged image."""
    images = [compose(sheet) for sheet in sheets]
    height, width = images[0].shape[0] / 100, sum(image.shape[1] for image in images) / 100
    figure = new_figure(width, height + TITLE_IN)
    panels = figure.subplots(1, len(sheets), squeeze=False)[0]
    for panel, sheet, image in zip(panels, sheets, images):
        panel.imshow(image)
        panel.set_title(f"{sheet.title}, first {TOP}")
        panel.set_axis_off()
        for number, row in enumerate(sheet.rows):
            for column, label in enumerate((row.label, *row.found_labels)):
                top, left = tile_corner(number, column)
                box = {"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 1}
                panel.text(left + FRAME_PX + 3, top + FRAME_PX + 3, f"{label:04d}", fontsize=7, va="top", bbox=box)
    save_figure(figure, path)


def _labels(task: Task, order: npt.NDArray[np.int64]) -> tuple[int, ...]:
    return tuple(int(label) for label in task.gallery.labels[order])


def _compose_row(row: SheetRow) -> Pixels:
    canvas = np.full((CELL_PX + GAP_PX, tile_corner(0, 1 + TOP)[1], 3), WHITE, np.uint8)
    _put(canvas, 0, row.query, WHITE)
    for column, (path, label) in enumerate(zip(row.found, row.found_labels), start=1):
        _put(canvas, column, path, GREEN if label == row.label else RED)
    line = tile_corner(0, 1)[1] - (ASIDE_PX + GAP_PX) // 2
    canvas[np.arange(len(canvas)) % 12 < 7, line : line + 2] = 120
    return canvas


def _put(canvas: Pixels, column: int, path: Path, frame: tuple[int, int, int]) -> None:
    left = tile_corner(0, column)[1]
    canvas[:CELL_PX, left : left + CELL_PX] = frame
    inner = slice(FRAME_PX, FRAME_PX + TILE_PX)
    canvas[inner, left + FRAME_PX : left + FRAME_PX + TILE_PX] = read_image(path, TILE_PX)
