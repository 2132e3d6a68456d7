"""Find out which data set lies in a folder."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from mift_ros.errors import TrainingError
from training.data.multiview.dataset import MultiviewDataset
from training.data.multiview.dense import find_dense
from training.data.multiview.sues import find_sues
from training.data.multiview.university import find_university

FINDERS = (find_sues, find_dense, find_university)
DEPTH = 2
"""Folders below the given one that are looked into for a set that was unpacked deeper, or above it."""
LAYOUTS = "train/ and test/ (University-1652, DenseUAV), Training/ and Testing/ or satellite-view/ (SUES-200)"
MARKERS = ("train", "test", "Training", "Testing", "satellite-view", "drone_view_512")


def open_dataset(root: Path) -> MultiviewDataset:
    """The data set in a folder, told by the folders in it.

    Raises TrainingError when there is none, naming the folder that was probably meant.
    """
    if not root.is_dir():
        raise TrainingError(f"{root}: no such folder")
    found = _find(root)
    if found is None:
        raise TrainingError(f"{root}: no multi-view data set; {_hint(root)}")
    return found


def _find(root: Path) -> MultiviewDataset | None:
    return next((found for finder in FINDERS if (found := finder(root)) is not None), None)


def _hint(root: Path) -> str:
    nearby = [*_below(root, DEPTH), *list(root.absolute().parents)[:DEPTH]]
    for folder in nearby:
        if (found := _find(folder)) is not None:
            return f"{found.name} lies in {folder}"
    for name in (folder.name for folder in _below(root, 1)):
        if close := get_close_matches(name, MARKERS, 1):
            return f"is {name}/ meant to be {close[0]}/?"
    return f"expected {LAYOUTS}"


def _below(root: Path, depth: int) -> list[Path]:
    """Folders down to a depth, upper ones first."""
    level, found = [root], []
    for _ in range(depth):
        level = [path for folder in level for path in _folders(folder)]
        found += level
    return found


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError:
        return []
