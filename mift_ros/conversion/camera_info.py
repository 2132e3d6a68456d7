"""sensor_msgs/CameraInfo to the camera model."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mift_ros.errors import GeometryError
from mift_ros.geometry.camera import NADIR_MOUNT, CameraModel

COEFFICIENTS = {"plumb_bob": (0, 4, 5), "rational_polynomial": (0, 8, 12, 14), "equidistant": (0, 4)}
"""Numbers of distortion coefficients that OpenCV takes, per model."""


def camera_from_info(
    msg: Any, body_from_camera: npt.ArrayLike = NADIR_MOUNT, image_is_rectified: bool = False
) -> CameraModel:
    """Intrinsics of the image as published: K is of the full sensor, so region of interest and binning are applied.

    `body_from_camera` [3, 3] rotates optical axes into body FLU axes. The same message accompanies raw and rectified
    image and cannot tell them apart: K and D are of the raw one, P is of the rectified one, which has no distortion.

    Raises:
        GeometryError: uncalibrated (K, or P, is zero), or a distortion that OpenCV cannot apply.
    """
    name, row, matrix = ("P", 4, msg.p) if image_is_rectified else ("K", 3, msg.k)
    (fx, skew, cx), (_, fy, cy) = ((float(value) for value in matrix[at : at + 3]) for at in (0, row))
    if fx == 0.0 or fy == 0.0:
        raise GeometryError(
            f"camera_info has {name} = 0: the camera is not calibrated; calibrate it or give its intrinsics"
        )
    if skew != 0.0:
        raise GeometryError(f"camera_info has a skew of {skew} pixels, which no camera model here describes")
    model, distortion = ("plumb_bob", ()) if image_is_rectified else _distortion(msg)
    left, width, across = _axis(msg.roi.x_offset, msg.roi.width or msg.width, msg.binning_x)
    top, height, down = _axis(msg.roi.y_offset, msg.roi.height or msg.height, msg.binning_y)
    return CameraModel(
        width=width,
        height=height,
        fx=fx / across,
        fy=fy / down,
        cx=(cx - left + 0.5) / across - 0.5,  # the centre of pixel 0 is 0.0 before and after binning
        cy=(cy - top + 0.5) / down - 0.5,
        distortion=distortion,
        distortion_model=model,
        body_from_camera=_rows(body_from_camera),
    )


def _axis(offset: int, size: int, binning: int) -> tuple[int, int, int]:
    """Offset in sensor pixels, size in image pixels and sensor pixels per image pixel; binning 0 means 1."""
    binning = int(binning) or 1
    return int(offset), int(size) // binning, binning


def _distortion(msg: Any) -> tuple[str, tuple[float, ...]]:
    coefficients = tuple(float(value) for value in msg.d)
    model = msg.distortion_model or "plumb_bob"
    if model not in COEFFICIENTS:
        raise GeometryError(f"camera_info distortion model {model!r} is not one of {', '.join(COEFFICIENTS)}")
    if len(coefficients) not in COEFFICIENTS[model]:
        raise GeometryError(
            f"camera_info has {len(coefficients)} coefficients for {model}: {COEFFICIENTS[model]} wanted"
        )
    return model, coefficients


def _rows(matrix: npt.ArrayLike) -> tuple[tuple[float, float, float], ...]:
    return tuple((float(a), float(b), float(c)) for a, b, c in np.asarray(matrix, float))
