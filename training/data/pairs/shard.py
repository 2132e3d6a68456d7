"""A shard: the pairs of one world in one safetensors file, images as JPEG, with where they lie."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mift_ros.errors import TrainingError
from mift_ros.files import replacing

Image = npt.NDArray[np.uint8]
Encoded = npt.NDArray[np.uint8]

FORMAT = "mift_pairs"
"""The one key of a shard's metadata: a second would come in another order in every file."""
JPEG_QUALITY = 92
SIDES = ("map", "drone")
LARGEST_PX = 1024


@dataclass(frozen=True)
class Pair:
    """Two images of one place, as JPEG: the centre of their square, east and north in the world, and its side."""

    centre_m: tuple[float, float]
    side_m: float
    map_jpeg: Encoded
    drone_jpeg: Encoded


@dataclass(frozen=True)
class Shard:
    """All pairs of a world, and what the generator was told (manifest and world)."""

    made: dict[str, Any]
    pairs: tuple[Pair, ...]


def encode(image: Image) -> Encoded:
    """RGB [H, W, 3] as JPEG [bytes]."""
    return np.asarray(cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1], np.uint8)


def decode(jpeg: Encoded, where: str) -> Image:
    """RGB [H, W, 3] of a JPEG; raises TrainingError naming where it lies."""
    image = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)
    if image is None or max(image.shape[:2]) > LARGEST_PX:
        raise TrainingError(f"{where}: the image cannot be read; delete the file and render it again")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def write_shard(path: Path, shard: Shard) -> None:
    """Write a shard: it is whole or not there."""
    from safetensors.numpy import save_file

    tensors: dict[str, npt.NDArray[Any]] = {
        "centre_m": np.array([pair.centre_m for pair in shard.pairs], np.float64).reshape(-1, 2),
        "side_m": np.array([pair.side_m for pair in shard.pairs], np.float64),
    }
    for side, images in zip(SIDES, _images(shard.pairs), strict=True):
        tensors[f"{side}_jpeg"] = np.concatenate(images)
        tensors[f"{side}_ends"] = np.cumsum([len(image) for image in images])
    with replacing(path) as temporary:
        save_file(tensors, temporary, {FORMAT: json.dumps(shard.made)})


def read_shard(path: Path) -> Shard:
    """Read a shard into memory; raises TrainingError for what is none or damaged."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            made = json.loads(file.metadata()[FORMAT])
            centre_m, side_m = file.get_tensor("centre_m"), file.get_tensor("side_m")
            images = [_split(file.get_tensor(f"{s}_jpeg"), file.get_tensor(f"{s}_ends")) for s in SIDES]
        places = zip(centre_m.tolist(), side_m.tolist(), *images, strict=True)
        return Shard(made, tuple(Pair((c[0], c[1]), s, m, d) for c, s, m, d in places))
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, IndexError) as error:
        raise TrainingError(f"{path}: no shard of pairs, or damaged ({error}); render it again") from error


def made_by(path: Path) -> dict[str, Any] | None:
    """What the generator of a whole shard was told; None where there is none."""
    try:
        return read_shard(path).made
    except TrainingError:
        return None


def _images(pairs: Sequence[Pair]) -> tuple[list[Encoded], list[Encoded]]:
    return [pair.map_jpeg for pair in pairs], [pair.drone_jpeg for pair in pairs]


def _split(data: Encoded, ends: npt.NDArray[np.int64]) -> list[Encoded]:
    """The images that lie one after the other; raises ValueError where the ends are not theirs."""
    if len(ends) == 0 or ends[-1] != len(data) or (np.diff(ends, prepend=0) <= 0).any():
        raise ValueError("its images do not end where they should")
    return np.split(data, ends[:-1])
