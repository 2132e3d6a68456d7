"""SUES-200 (Zhu et al., IEEE TCSVT 2023): 200 places from four heights, as downloaded and as its own script splits it.

As downloaded: satellite-view/NNNN/0.png, drone_view_512/NNNN/{150,200,250,300}/. Split: Training/{height}/{satellite,
drone}/NNNN/, Testing/{height}/{query,gallery}_{satellite,drone}/NNNN/. The authors train and test one height at a time;
the gallery holds all 200 places.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from training.data.multiview.dataset import MultiviewDataset, TaskParts
from training.data.multiview.parts import Count, Part, View

NAME = "SUES-200"
HEIGHTS_M = (150, 200, 250, 300)
SIDE_PX = 512
PLACES = 200
DRONE_IMAGES = 50
"""Per place and height."""
TEST_PLACES = (
    "8 12 14 17-19 22-23 35 38 40-42 46-50 52-54 59 61-63 65 68 71-72 75 78-79 83 92-93 95 98-99 107-112 114-115 117 "
    "121-122 124 128 130-131 133 135-136 138 140 143-144 150 153-154 161-162 164-165 170 172-173 175-178 181 188-190 "
    "194-195"
)
"""The 80 places that the authors' split (script/indexs.yaml) leaves out of training."""


def _numbers(ranges: str) -> frozenset[int]:
    ends = [[int(end) for end in each.split("-")] for each in ranges.split()]
    return frozenset(number for pair in ends for number in range(pair[0], pair[-1] + 1))


ALL = frozenset(range(1, PLACES + 1))
TEST = _numbers(TEST_PLACES)
TRAIN = ALL - TEST


def find_sues(root: Path) -> MultiviewDataset | None:
    """The set in this folder, if it is one of the two layouts."""
    if (root / "Training").is_dir() or (root / "Testing").is_dir():
        return _split(root)
    if (root / "satellite-view").is_dir() or (root / "drone_view_512").is_dir():
        return _downloaded(root)
    return None


def _split(root: Path) -> MultiviewDataset:
    def part(split: str, folder: str, height: int) -> Part:
        name = f"{split}/{height}/{folder}"
        view = View.DRONE if folder.endswith("drone") else View.SATELLITE
        places = len(TRAIN) if split == "Training" else len(TEST) if folder.startswith("query") else PLACES
        return Part(name, view, root / name, published=_published(places, view))

    return _dataset(root, part)


def _downloaded(root: Path) -> MultiviewDataset:
    def part(split: str, folder: str, height: int) -> Part:
        view = View.DRONE if folder.endswith("drone") else View.SATELLITE
        only = TRAIN if split == "Training" else TEST if folder.startswith("query") else ALL
        purpose = {TRAIN: "training", TEST: "queries", ALL: "gallery"}[only]
        published = _published(len(only), view)
        if view is View.SATELLITE:
            return Part(f"satellite-view ({purpose})", view, root / "satellite-view", "", only, published)
        name = f"drone_view_512/*/{height} ({purpose})"
        return Part(name, view, root / "drone_view_512", str(height), only, published)

    return _dataset(root, part)


def _dataset(root: Path, part: Callable[[str, str, int], Part]) -> MultiviewDataset:
    retrieval = []
    for height in HEIGHTS_M:
        for query, gallery in (("drone", "satellite"), ("satellite", "drone")):
            parts = part("Testing", f"query_{query}", height), part("Testing", f"gallery_{gallery}", height)
            retrieval.append(TaskParts(f"{query}->{gallery} {height} m", *parts))
    satellite = tuple(dict.fromkeys(part("Training", "satellite", height) for height in HEIGHTS_M))
    drone = tuple(part("Training", "drone", height) for height in HEIGHTS_M)
    return MultiviewDataset(NAME, root, satellite, drone, tuple(retrieval), HEIGHTS_M, SIDE_PX)


def _published(places: int, view: View) -> Count:
    return Count(places, places * (DRONE_IMAGES if view is View.DRONE else 1))
