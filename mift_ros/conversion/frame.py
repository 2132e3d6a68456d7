"""An image message and its camera to the frame that the localizer takes."""

from __future__ import annotations

from typing import Any

from mift_ros.conversion.image import decode_image, size_of
from mift_ros.conversion.stamp import stamp_to_ns
from mift_ros.errors import ImageError
from mift_ros.geometry.camera import CameraModel
from mift_ros.localization.types import Frame


def frame_from_image(msg: Any, camera: CameraModel) -> Frame:
    """Decode and check that the pixels are those the intrinsics speak of; compressed ones are not decoded if not.

    Raises:
        ImageError: the image does not decode, or its size is not the camera's.
    """
    if hasattr(msg, "format"):
        _require_size(*size_of(msg), camera)  # a file of 1 MB may hold pixels for gigabytes
    image = decode_image(msg)
    _require_size(image.shape[1], image.shape[0], camera)
    return Frame(stamp_to_ns(msg.header.stamp), image, camera)


def _require_size(width: int, height: int, camera: CameraModel) -> None:
    if (width, height) != (camera.width, camera.height):
        raise ImageError(
            f"image is {width}x{height} but camera_info speaks of {camera.width}x{camera.height} pixels: "
            "is it the camera_info of this image?"
        )
