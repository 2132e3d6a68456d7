"""The image files of a class: written aside, then renamed into each folder that shows it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from mift_ros.errors import TrainingError
from training.data.synthetic.spec import PlannedClass

Image = npt.NDArray[np.uint8]

PARTIAL = ".partial"
"""Folder of classes being written, below the set."""
JPEG_QUALITY = 90


def is_complete(root: Path, planned: PlannedClass, views: int) -> bool:
    """Whether every folder of a class is there with all its images."""
    return not missing_folders(root, planned, views)


def missing_folders(root: Path, planned: PlannedClass, views: int) -> dict[str, list[Path]]:
    """Folders of the satellite and of the drone images of a class that are not there or not whole."""
    wanted = {"satellite": 1, "drone": views}
    folders = {view: [root / f / planned.name for f in names] for view, names in planned.role.folders.items()}
    missing = {view: [f for f in names if _count(f) != wanted[view]] for view, names in folders.items()}
    return {view: names for view, names in missing.items() if names}


def write_images(root: Path, name: str, view: str, images: Iterable[Image], folders: list[Path]) -> None:
    """Write RGB images of a class as JPEG, then put them into `folders`; a query shares its files with the gallery."""
    work = root / PARTIAL / f"{name}-{view}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    for number, image in enumerate(images, start=1):
        file = f"image-{number:02d}.jpeg" if view == "drone" else f"{name}.jpg"
        (work / file).write_bytes(_jpeg(image))
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder is not folders[-1]:
            twin = work.with_name(f"{work.name}-twin")
            shutil.rmtree(twin, ignore_errors=True)
            shutil.copytree(work, twin, copy_function=_link)
            os.replace(twin, folder)
    os.replace(work, folders[-1])


def _link(source: str, target: str) -> None:
    """A hard link, or a copy where the file system has none."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _jpeg(image: Image) -> bytes:
    good, encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not good:
        raise TrainingError(f"an image of {image.shape} cannot be encoded as JPEG: is OpenCV built with it?")
    return encoded.tobytes()


def _count(folder: Path) -> int:
    try:
        return sum(path.suffix in (".jpg", ".jpeg") for path in folder.iterdir())
    except OSError:
        return 0
