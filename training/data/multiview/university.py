"""University-1652 (Zheng et al., ACM MM 2020), and sets in its layout that bring positions.csv (the synthetic one).

train/{satellite,drone}/NNNN/, test/{query,gallery}_{satellite,drone}/NNNN/; the street views are not used.
"""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path

from mift_ros.errors import TrainingError
from training.data.multiview.dataset import MultiviewDataset, Positions, TaskParts
from training.data.multiview.parts import Count, Part, View

POSITIONS_FILE = "positions.csv"
"""Columns split, class, latitude_deg, longitude_deg."""

PUBLISHED = {
    "train/satellite": Count(701, 701),
    "train/drone": Count(701, 37_854),
    "test/query_satellite": Count(701, 701),
    "test/query_drone": Count(701, 37_855),
    "test/gallery_satellite": Count(951, 951),
    "test/gallery_drone": Count(951, 51_355),
}
"""Table 2 of the paper prints 37,854 drone queries where its text and the authors of the set count 37,855."""


def find_university(root: Path) -> MultiviewDataset | None:
    """The set in this folder, if it is one."""
    if not any((root / name).is_dir() for name in PUBLISHED):
        return None
    if (root / POSITIONS_FILE).is_file():
        return university_layout("multi-view set with positions", root, {}, read=partial(read_positions_csv, root))
    return university_layout("University-1652", root, PUBLISHED, side_px=512)


def university_layout(
    name: str,
    root: Path,
    published: dict[str, Count],
    side_px: int = 0,
    read: partial[Positions] | None = None,
) -> MultiviewDataset:
    """A set with the folders of University-1652, which DenseUAV has too."""

    def part(folder: str, view: View) -> Part:
        return Part(folder, view, root / folder, published=published.get(folder))

    satellite, drone = View.SATELLITE, View.DRONE
    retrieval = (
        TaskParts("drone->satellite", part("test/query_drone", drone), part("test/gallery_satellite", satellite)),
        TaskParts("satellite->drone", part("test/query_satellite", satellite), part("test/gallery_drone", drone)),
    )
    training = (part("train/satellite", satellite),), (part("train/drone", drone),)
    return MultiviewDataset(name, root, *training, retrieval, side_px=side_px, read_positions=read)


def read_positions_csv(root: Path, split: str) -> Positions:
    """Positions of a split's classes from positions.csv."""
    path = root / POSITIONS_FILE
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["split"] == split]
        return {int(row["class"]): (float(row["latitude_deg"]), float(row["longitude_deg"])) for row in rows}
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise TrainingError(f"{path}: not a table of split,class,latitude_deg,longitude_deg ({error})") from error
