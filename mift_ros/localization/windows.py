"""Square windows of the cache's map raster at any resolution and sub-pixel position."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from mift_ros.cache.reader import MapCache


def map_window(cache: MapCache, centre_m: tuple[float, float], pixels: int, gsd_m: float) -> npt.NDArray[np.uint8]:
    """Grey map window [pixels, pixels], centred to a fraction of a pixel; 0 where the map has no data."""
    half = pixels * gsd_m / 2 + gsd_m
    grey, west, north = cache.raster_window(centre_m[0], centre_m[1], half)
    if not grey.size:
        return np.zeros((pixels, pixels), np.uint8)
    raster_gsd = cache.manifest.raster_gsd_m
    step = gsd_m / raster_gsd
    if step >= 1.5:
        # average before sampling coarser, and keep "no data" sharp
        smooth = np.maximum(cv2.blur(grey, (round(step),) * 2), np.uint8(1))
        grey = np.asarray(cv2.bitwise_and(smooth, smooth, mask=grey), np.uint8)
    left = (centre_m[0] - west) / raster_gsd - 0.5 - (pixels - 1) / 2 * step
    top = (north - centre_m[1]) / raster_gsd - 0.5 - (pixels - 1) / 2 * step
    take = np.array([[step, 0.0, left], [0.0, step, top]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(grey, take, (pixels, pixels), flags=flags), np.uint8)
