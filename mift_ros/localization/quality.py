"""Can this image be localised at all: telemetry, footprint, texture and sharpness, before anything is searched."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from mift_ros.geometry.rectify import tilt_deg
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.hypotheses import attitude_rad
from mift_ros.localization.types import Frame, Reason, Telemetry


class Refusal(NamedTuple):
    """A reason with its explanation and numbers; becomes a Rejection."""

    reason: Reason
    detail: str
    numbers: dict[str, float]


def check_telemetry(frame: Frame, telemetry: Telemetry, config: LocalizerConfig) -> Refusal | None:
    """Refuse a frame whose attitude or height cannot be used; NaN height or heading is fine, it is searched."""
    attitude = attitude_rad(telemetry, config)
    if not all(math.isfinite(a) for a in attitude):
        return _no_attitude(telemetry.attitude_late_s)
    if telemetry.height_agl_m <= 0 or math.isinf(telemetry.height_agl_m):
        detail = f"height above ground {telemetry.height_agl_m:g} m is not positive and finite"
        return Refusal(Reason.NO_TELEMETRY, detail, {"height_agl_m": telemetry.height_agl_m})
    tilt = tilt_deg(frame.camera, *attitude)
    if tilt > config.max_tilt_deg:
        detail = f"camera {tilt:.0f} deg off nadir, more than max_tilt_deg {config.max_tilt_deg:g}"
        return Refusal(Reason.OBLIQUE, detail, {"tilt_deg": tilt})
    return None


def _no_attitude(late_s: float) -> Refusal:
    if not math.isfinite(late_s):
        return Refusal(Reason.NO_TELEMETRY, "no valid attitude at the exposure: is the IMU topic alive?", {})
    side = "older" if late_s > 0 else "newer"
    detail = f"the newest attitude is {abs(late_s):.3f} s {side} than the exposure: do camera and IMU share a clock?"
    return Refusal(Reason.NO_TELEMETRY, detail, {"attitude_late_s": late_s})


def check_image(frame: Frame) -> Refusal | None:
    """Refuse an array that is not an RGB image of the camera's size."""
    wanted = (frame.camera.height, frame.camera.width, 3)
    if frame.image.shape != wanted or frame.image.dtype != np.uint8:
        detail = f"image {frame.image.shape} {frame.image.dtype} is not the camera's {wanted} uint8"
        return Refusal(Reason.BAD_IMAGE, detail, {})
    return None


def check_patch(patch: npt.NDArray[np.uint8], coverage: float, config: LocalizerConfig) -> Refusal | None:
    """Refuse a patch [S, S, 3] that shows too little ground, no texture or only blur."""
    if coverage < config.min_coverage:
        detail = f"the image covers {coverage:.0%} of a tile, min_coverage is {config.min_coverage:.0%}: fly higher"
        return Refusal(Reason.SMALL_FOOTPRINT, detail, {"coverage": coverage})
    texture, sharpness = texture_and_sharpness(patch)
    if texture < config.min_texture:
        detail = f"contrast {texture:.1f} grey levels is below min_texture {config.min_texture:g}"
        return Refusal(Reason.TEXTURELESS, detail, {"texture": texture})
    if sharpness < config.min_sharpness:
        detail = f"mean gradient {sharpness:.2f} grey levels is below min_sharpness {config.min_sharpness:g}"
        return Refusal(Reason.BLURRED, detail, {"sharpness": sharpness})
    return None


def texture_and_sharpness(patch: npt.NDArray[np.uint8]) -> tuple[float, float]:
    """Standard deviation of the grey levels and their mean gradient per pixel, over the pixels that are not black."""
    grey = cv2.cvtColor(patch, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)
    seen = patch.max(axis=2) > 0
    if not seen.any():
        return 0.0, 0.0
    inner = cv2.erode(seen.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    gx, gy = cv2.Sobel(grey, cv2.CV_32F, 1, 0, scale=0.125), cv2.Sobel(grey, cv2.CV_32F, 0, 1, scale=0.125)
    gradient = np.hypot(gx, gy)
    return float(grey[seen].std()), float(gradient[inner].mean()) if inner.any() else 0.0
