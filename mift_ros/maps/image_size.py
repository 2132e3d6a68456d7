"""Width and height from the first bytes of a PNG or JPEG: of a large tile set, GDAL takes minutes to open them all."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from mift_ros.maps.mosaic import probe_image

_PNG = b"\x89PNG\r\n\x1a\n"
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG's markers that begin a frame, of which the header holds the size."""


def image_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels, of any format that a map may have.

    Raises:
        MapError: not an image that a map may have.
    """
    with path.open("rb") as file:
        head = file.read(24)
        if head.startswith(_PNG) and len(head) == 24:
            width, height = struct.unpack(">II", head[16:])
            return width, height
        size = _jpeg_size(file) if head.startswith(b"\xff\xd8") else None
    if size is None:
        image = probe_image(path)
        size = image.width, image.height
    return size


def _jpeg_size(file: BinaryIO) -> tuple[int, int] | None:
    at = 2
    while True:
        file.seek(at)
        segment = file.read(9)
        if len(segment) < 9 or segment[0] != 0xFF:
            return None
        if segment[1] in _FRAMES:
            height, width = struct.unpack(">HH", segment[5:])
            return width, height
        at += 2 + int.from_bytes(segment[2:4], "big")
