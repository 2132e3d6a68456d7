"""DenseUAV (Dai et al., IEEE TIP 2024): University's folders, six-digit classes, three heights, and GNSS positions.

Dense_GPS_{ALL,train,test}.txt hold a line per image: path, E<longitude>, N<latitude>, height. A class has one position,
that of its last line, as in the authors' evaluation. Satellite folders hold two dates of each height (H80.tif,
H80_old.tif); both count.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from mift_ros.errors import TrainingError
from training.data.multiview.dataset import MultiviewDataset, Positions
from training.data.multiview.parts import Count
from training.data.multiview.university import university_layout

PUBLISHED = {
    "train/satellite": Count(2256, 13_536),
    "train/drone": Count(2256, 6_768),
    "test/query_satellite": Count(777, 4_662),
    "test/query_drone": Count(777, 2_331),
    "test/gallery_satellite": Count(3033, 18_198),
    "test/gallery_drone": Count(3033, 9_099),
}
POSITION_FILES = {"train": "Dense_GPS_train.txt", "test": "Dense_GPS_test.txt"}
ALL_POSITIONS_FILE = "Dense_GPS_ALL.txt"
CLASS_DIGITS = 6


def find_dense(root: Path) -> MultiviewDataset | None:
    """The set in this folder, if it is one: its class folders have six digits, or the GNSS files are there."""
    if not any((root / name).is_dir() for name in PUBLISHED):
        return None
    positions = any(root.glob("Dense_GPS_*.txt"))
    if not positions and not any(_six_digits(root / name) for name in PUBLISHED):
        return None
    read = partial(read_dense_positions, root) if positions else None
    return university_layout("DenseUAV", root, PUBLISHED, read=read)


def read_dense_positions(root: Path, split: str) -> Positions:
    """Positions by class; all of them for "test", whose gallery holds the training classes too."""
    names = (POSITION_FILES["train"],) if split == "train" else tuple(POSITION_FILES.values())
    if (root / ALL_POSITIONS_FILE).is_file():
        names = (ALL_POSITIONS_FILE,)
    positions: Positions = {}
    for name in names:
        if (root / name).is_file():
            positions.update(_read(root / name))
    return positions


def _read(path: Path) -> Positions:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise TrainingError(f"{path}: not UTF-8 text; extract it from the original archive again") from error
    positions: Positions = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            image, east, north = line.split()[:3]
            positions[int(image.split("/")[-2])] = (float(north.removeprefix("N")), float(east.removeprefix("E")))
        except (ValueError, IndexError) as error:
            raise TrainingError(f"{path}, line {number}: not 'path E<longitude> N<latitude> height'") from error
    return positions


def _six_digits(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    return any(len(entry.name) == CLASS_DIGITS and entry.name.isdigit() for entry in folder.iterdir())
