"""sensor_msgs/Image and CompressedImage to RGB pixels: a view where the bytes allow it, never a wrong picture."""

from __future__ import annotations

import importlib
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from mift_ros.conversion.encodings import AS_IT_IS, ENCODINGS, Encoding
from mift_ros.errors import ImageError
from mift_ros.image_size import image_size

Rgb = npt.NDArray[np.uint8]


def decode_image(msg: Any) -> Rgb:
    """RGB [H, W, 3] uint8 of an Image or a CompressedImage (told apart by the attribute `format`).

    An rgb8 Image is returned as a read-only view of the message; rows may be padded (`step`).

    Raises:
        ImageError: unknown encoding, zero size, fewer bytes than the header says, or bytes that do not decode.
    """
    if hasattr(msg, "format"):
        return _decompress(msg)
    if msg.width <= 0 or msg.height <= 0:
        raise ImageError(f"image is {msg.width}x{msg.height} pixels: nothing to see")
    encoding = ENCODINGS.get(msg.encoding)
    if encoding is None:
        return _by_cv_bridge(msg)
    pixels = _view(msg, encoding)
    if encoding.item_bytes == 2:
        pixels = (pixels >> 8).astype(np.uint8)
    if encoding.to_rgb == AS_IT_IS:
        return pixels
    try:
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), encoding.to_rgb), np.uint8)
    except cv2.error as error:
        raise ImageError(
            f"image {msg.width}x{msg.height} {msg.encoding} does not convert to RGB: {error.err}"
        ) from error


def _view(msg: Any, encoding: Encoding) -> npt.NDArray[Any]:
    """The message's bytes as a read-only array [H, W] or [H, W, C] without a copy, row padding skipped."""
    pixel_bytes = encoding.item_bytes * encoding.channels
    row_bytes = msg.width * pixel_bytes
    step = msg.step or row_bytes
    data = np.frombuffer(msg.data, np.uint8)
    needed = step * (msg.height - 1) + row_bytes
    if step < row_bytes or data.size < needed:
        raise ImageError(
            f"image header says {msg.width}x{msg.height} {msg.encoding}, step {msg.step} ({max(needed, 0)} bytes, "
            f"{row_bytes} a row), but the message holds {data.size} bytes"
        )
    item = np.dtype(f"{'>' if msg.is_bigendian else '<'}u{encoding.item_bytes}")
    shape, strides = (msg.height, msg.width, encoding.channels), (step, pixel_bytes, encoding.item_bytes)
    view: npt.NDArray[Any] = np.ndarray(shape, item, data.data, strides=strides)
    view.flags.writeable = False
    return view[:, :, 0] if encoding.channels == 1 else view


def size_of(msg: Any) -> tuple[int, int]:
    """Width and height in pixels of a jpeg or png CompressedImage by its head: it is not decoded for it.

    Raises:
        ImageError: another kind of image, or a broken one.
    """
    data = _compressed(msg)
    if (size := image_size(data.tobytes())) is None:
        raise ImageError(
            f"compressed image of format {msg.format!r} with {data.size} bytes does not decode: not a jpeg or png"
        )
    return size


def _compressed(msg: Any) -> npt.NDArray[np.uint8]:
    if "compressedDepth" in msg.format:
        raise ImageError(f"compressed image of format {msg.format!r} is a depth image, not a camera image")
    return np.frombuffer(msg.data, np.uint8)


def _decompress(msg: Any) -> Rgb:
    """The sensor's pixel order is kept whatever EXIF says."""
    data = _compressed(msg)
    try:
        pixels = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION) if data.size else None
    except cv2.error:
        pixels = None
    if pixels is None:
        raise ImageError(f"compressed image of format {msg.format!r} with {data.size} bytes does not decode")
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)


def _by_cv_bridge(msg: Any) -> Rgb:
    """Encodings beyond ENCODINGS, where ROS brings cv_bridge."""
    try:
        bridge = importlib.import_module("cv_bridge")
    except ImportError as error:
        raise ImageError(
            f"image encoding {msg.encoding!r} is unknown without cv_bridge; known: {', '.join(ENCODINGS)}"
        ) from error
    try:
        return np.asarray(bridge.CvBridge().imgmsg_to_cv2(msg, "rgb8"), np.uint8)
    except (bridge.CvBridgeError, cv2.error, RuntimeError, TypeError, ValueError) as error:
        raise ImageError(f"image encoding {msg.encoding!r} is not converted by cv_bridge: {error}") from error
