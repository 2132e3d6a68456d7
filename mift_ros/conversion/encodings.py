"""The sensor_msgs/Image encodings that are read without cv_bridge, and how each becomes RGB."""

from __future__ import annotations

from typing import NamedTuple

import cv2

AS_IT_IS = -1
"""No colour conversion: the pixels are RGB already."""


class Encoding(NamedTuple):
    """Bytes of one pixel on the wire: `item_bytes` per channel, and the OpenCV conversion to RGB."""

    item_bytes: int
    channels: int
    to_rgb: int


# OpenCV names a Bayer pattern by the second row's second and third pixel: its BG is RGGB elsewhere.
_BAYER = {
    "rggb": cv2.COLOR_BayerBG2RGB,
    "bggr": cv2.COLOR_BayerRG2RGB,
    "gbrg": cv2.COLOR_BayerGR2RGB,
    "grbg": cv2.COLOR_BayerGB2RGB,
}

ENCODINGS: dict[str, Encoding] = {
    "rgb8": Encoding(1, 3, AS_IT_IS),
    "bgr8": Encoding(1, 3, cv2.COLOR_BGR2RGB),
    "8UC3": Encoding(1, 3, cv2.COLOR_BGR2RGB),
    "rgba8": Encoding(1, 4, cv2.COLOR_RGBA2RGB),
    "bgra8": Encoding(1, 4, cv2.COLOR_BGRA2RGB),
    "8UC4": Encoding(1, 4, cv2.COLOR_BGRA2RGB),
    "mono8": Encoding(1, 1, cv2.COLOR_GRAY2RGB),
    "8UC1": Encoding(1, 1, cv2.COLOR_GRAY2RGB),
    "mono16": Encoding(2, 1, cv2.COLOR_GRAY2RGB),
    "16UC1": Encoding(2, 1, cv2.COLOR_GRAY2RGB),
    "yuv422": Encoding(1, 2, cv2.COLOR_YUV2RGB_UYVY),
    "uyvy": Encoding(1, 2, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422_yuy2": Encoding(1, 2, cv2.COLOR_YUV2RGB_YUY2),
    "yuyv": Encoding(1, 2, cv2.COLOR_YUV2RGB_YUY2),
    **{f"bayer_{name}8": Encoding(1, 1, code) for name, code in _BAYER.items()},
    **{f"bayer_{name}16": Encoding(2, 1, code) for name, code in _BAYER.items()},
}
"""By the names of sensor_msgs/image_encodings.hpp; 16-bit pixels are reduced to their upper byte."""
