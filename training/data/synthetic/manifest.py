"""set.json, which says what set a folder holds, and positions.csv, which says where its buildings stand."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any, NamedTuple

from mift_ros.errors import TrainingError
from mift_ros.files import replacing, write_file

SET_FILE, POSITIONS_FILE = "set.json", "positions.csv"


class Position(NamedTuple):
    """Row of positions.csv: the split and number of a class, and its building in WGS 84 degrees."""

    split: str
    label: str
    latitude_deg: float
    longitude_deg: float


COLUMNS = ("split", "class", "latitude_deg", "longitude_deg")


def claim(root: Path, manifest: dict[str, Any]) -> None:
    """Write set.json into an empty or new folder, or see that the folder holds this very set.

    Raises:
        TrainingError: the folder holds something else, or cannot be written.
    """
    path = root / SET_FILE
    try:
        root.mkdir(parents=True, exist_ok=True)
        if path.exists():
            held = json.loads(path.read_text(encoding="utf-8"))
            if held != manifest:
                raise TrainingError(
                    f"{root} holds another set ({_difference(held, manifest)}): ask for that one or give another folder"
                )
        elif any(root.iterdir()):
            raise TrainingError(f"{root} is not empty and no set of this command: give another folder")
        else:
            write_file(path, json.dumps(manifest, indent=2) + "\n")
    except (OSError, ValueError) as error:
        raise TrainingError(f"{root} cannot be used for a set: {error}") from error


def read_positions(root: Path) -> dict[str, Position]:
    """Positions by class that an interrupted run left; none where the file is missing or damaged."""
    try:
        with (root / POSITIONS_FILE).open(encoding="utf-8", newline="") as file:
            rows = [Position(r[0], r[1], float(r[2]), float(r[3])) for r in list(csv.reader(file))[1:]]
    except (OSError, ValueError, IndexError):
        return {}
    return {row.label: row for row in rows}


def write_positions(root: Path, positions: dict[str, Position]) -> None:
    """Write positions in the order of the classes."""
    with replacing(root / POSITIONS_FILE) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for _, row in sorted(positions.items()):
            writer.writerow([row.split, row.label, f"{row.latitude_deg:.7f}", f"{row.longitude_deg:.7f}"])


def _difference(held: object, wanted: dict[str, object]) -> str:
    """The first entries in which two manifests differ."""
    if not isinstance(held, dict):
        return "its set.json is damaged"
    keys = [key for key in wanted if held.get(key) != wanted[key]]
    return ", ".join(f"{key} {held.get(key)} instead of {wanted[key]}" for key in keys) or "its set.json says more"
