"""The size of a JPEG or PNG from what stands before its pixels: none is decoded that is not of the right size."""

from __future__ import annotations

JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
FRAMES = {0xC0 + k for k in range(16)} - {0xC4, 0xC8, 0xCC}
"""JPEG markers SOFn; the three between them are tables."""
ALONE = {0x00, 0x01, *range(0xD0, 0xD9)}
"""JPEG markers without a length."""
MAX_MARKERS = 1000
"""Of a JPEG before its size; a camera writes some ten."""


def image_size(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels as the decoder will make them; None for another kind of image or a broken one."""
    if data.startswith(PNG):
        return (_number(data, 16, 4), _number(data, 20, 4)) if data[12:16] == b"IHDR" else None
    return _jpeg_size(data) if data.startswith(JPEG) else None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    at = 2
    for _ in range(MAX_MARKERS):
        at = data.find(b"\xff", at)  # as the decoder, over what is no marker
        if at < 0 or at + 9 > len(data):
            return None
        marker = data[at + 1]
        if marker in FRAMES:
            return _number(data, at + 7, 2), _number(data, at + 5, 2)
        if marker == 0xFF:  # padding
            at += 1
        else:
            at += 2 if marker in ALONE else 2 + _number(data, at + 2, 2)
    return None


def _number(data: bytes, at: int, length: int) -> int:
    return int.from_bytes(data[at : at + length], "big")
