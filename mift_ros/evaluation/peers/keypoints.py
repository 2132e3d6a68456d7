"""Keypoints: AKAZE (Alcantarilla et al., BMVC 2013) of the whole map, a homography by USAC_MAGSAC, a count of inliers.

No heading is tried: where it is known the view is turned north-up and descriptors are upright, which finds more, else
they turn with the ground. The height rectifies the view.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from mift_ros.cache.reader import MapCache
from mift_ros.evaluation.peers.peer import PeerError, Point, Stateless, known_heading_deg, whole_view
from mift_ros.geometry.rectify import GroundView
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.types import Frame, Telemetry

BLOCK_PX, MARGIN_PX = 1024, 64
"""The map is described block by block; a keypoint needs its surroundings."""
MAX_KEYPOINTS = 500_000
"""Of the map; the strongest of each block are kept, 31 MB of descriptors in all."""
AKAZE_THRESHOLD = 3e-4
"""A third of OpenCV's default: more keypoints on faint ground."""
REPROJECTION_PX = 3.0
MIN_INLIERS = 15
"""From this many inliers on a position is published: on ground that is not on the map fewer agree."""
MAX_STRETCH = 1.25
"""The rectified view is to scale: a homography that stretches it by more is wrong."""

BORDER = np.ones((9, 9), np.uint8)
"""The edge of what the camera saw makes no keypoints."""
Progress = Callable[[int, int], None]


class _Keypoints(NamedTuple):
    """Places [N, 2] in pixels (x, y) and binary descriptors [N, 61]."""

    places: npt.NDArray[np.float32]
    descriptors: npt.NDArray[np.uint8]


class KeypointHomography(Stateless):
    """Publishes where enough keypoints agree on one homography; `progress(done, total)` while the map is described.

    Raises:
        PeerError: this OpenCV has no AKAZE.
    """

    def __init__(self, cache: MapCache, config: LocalizerConfig, progress: Progress = lambda done, total: None) -> None:
        if not hasattr(cv2, "AKAZE"):
            raise PeerError(f"OpenCV {cv2.__version__} has no AKAZE; version 5 keeps it in opencv-contrib")
        self._cache, self._config = cache, config
        self._maps = {config.use_heading: describe_map(cache.raster, config.use_heading, progress)}

    def locate(self, frame: Frame, telemetry: Telemetry) -> Point | None:
        """None without attitude or height, or where too few keypoints agree."""
        gsd_m = self._cache.manifest.raster_gsd_m
        view = whole_view(frame, telemetry, self._config, gsd_m)
        if view is None:
            return None
        heading = known_heading_deg(telemetry, self._config)
        upright = math.isfinite(heading)
        if upright not in self._maps:
            self._maps[upright] = describe_map(self._cache.raster, upright)
        heading = heading if upright else 0.0
        size = math.ceil(len(view.rgb) * view.gsd_m / gsd_m)
        rgb, valid = view.patch(heading, size, gsd_m)
        grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)
        inner = np.asarray(cv2.erode(valid, BORDER), np.uint8)
        found = match(_describe(grey, inner, upright), self._maps[upright])
        return None if found is None else self._vehicle_m(found, view, heading, size)

    def _vehicle_m(self, homography: npt.NDArray[np.float64], view: GroundView, heading: float, size: int) -> Point:
        """The point under the camera, carried from the patch to the map."""
        m, (east, north) = self._cache.manifest, view.offset_enu_m(heading)
        under = np.array([[[(size - 1) / 2 - east / m.raster_gsd_m, (size - 1) / 2 + north / m.raster_gsd_m]]])
        x, y = cv2.perspectiveTransform(under, homography)[0, 0]
        return float(m.raster_west_m + (x + 0.5) * m.raster_gsd_m), float(m.raster_north_m - (y + 0.5) * m.raster_gsd_m)


def describe_map(
    raster: npt.NDArray[np.uint8], upright: bool, progress: Progress = lambda done, total: None
) -> _Keypoints:
    """Keypoints of a grey raster [H, W], 0 where it has no data, at most MAX_KEYPOINTS."""
    blocks = list(_blocks(*raster.shape))
    most = MAX_KEYPOINTS // len(blocks)
    found = []
    for done, (row, col) in enumerate(blocks):
        progress(done, len(blocks))
        top, left = max(row - MARGIN_PX, 0), max(col - MARGIN_PX, 0)
        grey = np.ascontiguousarray(raster[top : row + BLOCK_PX + MARGIN_PX, left : col + BLOCK_PX + MARGIN_PX])
        mask = ((grey > 0) * 255).astype(np.uint8)
        mask[: row - top], mask[:, : col - left] = 0, 0
        mask[row - top + BLOCK_PX :], mask[:, col - left + BLOCK_PX :] = 0, 0
        here = _describe(grey, mask, upright, most)
        found.append(_Keypoints(here.places + np.array([left, top], np.float32), here.descriptors))
    progress(len(blocks), len(blocks))
    return _Keypoints(np.concatenate([k.places for k in found]), np.concatenate([k.descriptors for k in found]))


def match(view: _Keypoints, ground: _Keypoints) -> npt.NDArray[np.float64] | None:
    """The homography [3, 3] from view to ground pixels, None without enough inliers or not to scale."""
    if len(view.places) < MIN_INLIERS or len(ground.places) < MIN_INLIERS:
        return None
    matches = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(view.descriptors, ground.descriptors)
    if len(matches) < MIN_INLIERS:
        return None
    source = view.places[[m.queryIdx for m in matches]]
    target = ground.places[[m.trainIdx for m in matches]]
    found, inliers = cv2.findHomography(source, target, cv2.USAC_MAGSAC, REPROJECTION_PX, maxIters=10_000)
    if found is None or int(inliers.sum()) < MIN_INLIERS:
        return None
    homography = np.asarray(found, np.float64)
    return homography if is_to_scale(homography, source.mean(axis=0)) else None


def is_to_scale(homography: npt.NDArray[np.float64], at: npt.NDArray[np.float32]) -> bool:
    """Whether a homography keeps lengths and orientation about a point, within MAX_STRETCH."""
    x, y, w = homography @ np.array([*at, 1.0])
    jacobian = (homography[:2, :2] - np.outer([x / w, y / w], homography[2, :2])) / w
    stretch = np.linalg.svd(jacobian, compute_uv=False)
    return bool(np.linalg.det(jacobian) > 0 and stretch[0] <= MAX_STRETCH and stretch[1] >= 1 / MAX_STRETCH)


def _blocks(rows: int, cols: int) -> Iterator[tuple[int, int]]:
    return ((row, col) for row in range(0, rows, BLOCK_PX) for col in range(0, cols, BLOCK_PX))


def _describe(
    grey: npt.NDArray[np.uint8], mask: npt.NDArray[np.uint8], upright: bool, most: int = MAX_KEYPOINTS
) -> _Keypoints:
    """The strongest keypoints inside a mask."""
    kind = cv2.AKAZE_DESCRIPTOR_MLDB_UPRIGHT if upright else cv2.AKAZE_DESCRIPTOR_MLDB
    points, descriptors = cv2.AKAZE.create(kind, threshold=AKAZE_THRESHOLD).detectAndCompute(grey, mask)
    if not points:
        return _Keypoints(np.zeros((0, 2), np.float32), np.zeros((0, 61), np.uint8))
    best = np.argsort([-p.response for p in points], kind="stable")[:most]
    places = np.array([p.pt for p in points], np.float32).reshape(-1, 2)[best]
    return _Keypoints(places, np.asarray(descriptors, np.uint8)[best])
