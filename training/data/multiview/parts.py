"""A part of a data set: a folder that holds a folder of images per class, as all published sets of this kind do."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path

from mift_ros.errors import TrainingError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp")
"""Compared in lower case: DenseUAV writes .JPG."""


class View(str, enum.Enum):
    """Where an image was taken from."""

    SATELLITE = "satellite"
    DRONE = "drone"


@dataclass(frozen=True)
class Count:
    """Classes and images."""

    classes: int
    images: int


@dataclass(frozen=True)
class Part:
    """Class folders of one view and one purpose.

    folder holds the class folders; inner: folder below each of them that holds the images, if any; only: labels that
    belong to the part where others share its folder (empty: all); published: what the authors of the set count.
    """

    name: str
    view: View
    folder: Path
    inner: str = ""
    only: frozenset[int] = frozenset()
    published: Count | None = None

    def images(self) -> dict[int, tuple[Path, ...]]:
        """Image files of each class, both in order; a class folder without images has none.

        Raises TrainingError when the folder is missing or holds class folders that are not numbers.
        """
        folders, strangers = self.class_folders()
        if strangers:
            raise TrainingError(f"{self.folder / strangers[0]}: the folder of a class is named by a number, like 0839")
        return self.images_in(folders)

    def images_in(self, folders: dict[int, Path]) -> dict[int, tuple[Path, ...]]:
        """Image files of class folders, in order."""
        return {label: _images(folder / self.inner) for label, folder in folders.items()}

    def class_folders(self) -> tuple[dict[int, Path], tuple[str, ...]]:
        """Folders of the classes in the order of their numbers, and names of folders that are no class."""
        try:
            names = sorted(entry.name for entry in self.folder.iterdir() if entry.is_dir())
        except OSError as error:
            raise TrainingError(f"{self.folder}: no such folder; see what is missing: mift train data check") from error
        folders: dict[int, Path] = {}
        strangers = []
        for name in names:
            if name.startswith((".", "__")):
                continue
            if not (name.isascii() and name.isdigit()) or int(name) in folders:
                strangers.append(name)
            elif not self.only or int(name) in self.only:
                folders[int(name)] = self.folder / name
        return dict(sorted(folders.items())), tuple(strangers)


def _images(folder: Path) -> tuple[Path, ...]:
    if not folder.is_dir():
        return ()
    found = [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and path.name[0] != "."]
    return tuple(sorted(found))
