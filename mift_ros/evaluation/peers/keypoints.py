"""Keypoints: AKAZE (Alcantarilla et al., BMVC 2013) of the whole map, a homography by USAC_MAGSAC, a count of inliers.

Descriptors are upright: those that turn with the ground find little between two sources. An unknown heading is tried
all round instead, and the homography with most inliers is taken. The height rectifies the view.
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
MAX_KEYPOINTS = 250_000
"""Of the map; the strongest of each block are kept. OpenCV's matcher takes fewer than 2^18."""
AKAZE_THRESHOLD = 3e-4
"""A third of OpenCV's default: more keypoints on faint ground."""
HEADING_STEP_DEG = 12.0
REPROJECTION_PX = 3.0
MIN_INLIERS = 15
"""From this many inliers on a position is published; over another town up to 13 agree by chance in 30 headings."""
MAX_STRETCH = 1.25
"""The rectified view is to scale: a homography that stretches it by more is wrong."""

BORDER = np.ones((9, 9), np.uint8)
"""The edge of what the camera saw makes no keypoints."""
Progress = Callable[[int, int], None]


class _Keypoints(NamedTuple):
    """Places [N, 2] in pixels (x, y) and binary descriptors [N, 61]."""

    places: npt.NDArray[np.float32]
    descriptors: npt.NDArray[np.uint8]


class _Agreement(NamedTuple):
    """A homography [3, 3] from view to map pixels and how many matches agree with it."""

    homography: npt.NDArray[np.float64]
    inliers: int


class KeypointHomography(Stateless):
    """Publishes where enough keypoints agree on one homography; `progress(done, total)` while the map is described.

    Raises:
        PeerError: this OpenCV has no AKAZE.
    """

    def __init__(self, cache: MapCache, config: LocalizerConfig, progress: Progress = lambda done, total: None) -> None:
        if not hasattr(cv2, "AKAZE"):
            raise PeerError(f"OpenCV {cv2.__version__} has no AKAZE; version 5 keeps it in opencv-contrib")
        self._cache, self._config = cache, config
        self._map = describe_map(cache.raster, progress)

    def locate(self, frame: Frame, telemetry: Telemetry) -> Point | None:
        """None without attitude or height, or where too few keypoints agree."""
        view = whole_view(frame, telemetry, self._config, self._cache.manifest.raster_gsd_m)
        if view is None:
            return None
        known = known_heading_deg(telemetry, self._config)
        tried = (
            [known] if math.isfinite(known) else [k * HEADING_STEP_DEG for k in range(round(360 / HEADING_STEP_DEG))]
        )
        matched = [(self._matched(view, heading), heading) for heading in tried]
        found, heading = max(matched, key=lambda pair: pair[0].inliers if pair[0] else 0)
        return None if found is None else self._vehicle_m(found.homography, view, heading)

    def _matched(self, view: GroundView, heading_deg: float) -> _Agreement | None:
        rgb, valid = view.patch(heading_deg, self._pixels(view), self._cache.manifest.raster_gsd_m)
        grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)
        return match(_describe(grey, np.asarray(cv2.erode(valid, BORDER), np.uint8)), self._map)

    def _pixels(self, view: GroundView) -> int:
        return math.ceil(len(view.rgb) * view.gsd_m / self._cache.manifest.raster_gsd_m)

    def _vehicle_m(self, homography: npt.NDArray[np.float64], view: GroundView, heading_deg: float) -> Point:
        """The point under the camera, carried from the patch to the map."""
        m, (east, north), mid = self._cache.manifest, view.offset_enu_m(heading_deg), (self._pixels(view) - 1) / 2
        under = np.array([[[mid - east / m.raster_gsd_m, mid + north / m.raster_gsd_m]]])
        x, y = cv2.perspectiveTransform(under, homography)[0, 0]
        return float(m.raster_west_m + (x + 0.5) * m.raster_gsd_m), float(m.raster_north_m - (y + 0.5) * m.raster_gsd_m)


def describe_map(raster: npt.NDArray[np.uint8], progress: Progress = lambda done, total: None) -> _Keypoints:
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
        here = _describe(grey, mask, most)
        found.append(_Keypoints(here.places + np.array([left, top], np.float32), here.descriptors))
    progress(len(blocks), len(blocks))
    return _Keypoints(np.concatenate([k.places for k in found]), np.concatenate([k.descriptors for k in found]))


def match(view: _Keypoints, ground: _Keypoints) -> _Agreement | None:
    """What mutually nearest keypoints agree on, None without enough inliers or not to scale."""
    if len(view.places) < MIN_INLIERS or len(ground.places) < MIN_INLIERS:
        return None
    matches = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(view.descriptors, ground.descriptors)
    if len(matches) < MIN_INLIERS:
        return None
    source = view.places[[m.queryIdx for m in matches]]
    target = ground.places[[m.trainIdx for m in matches]]
    found, agree = cv2.findHomography(source, target, cv2.USAC_MAGSAC, REPROJECTION_PX, maxIters=10_000)
    if found is None or int(agree.sum()) < MIN_INLIERS:
        return None
    homography = np.asarray(found, np.float64)
    return _Agreement(homography, int(agree.sum())) if is_to_scale(homography, source.mean(axis=0)) else None


def is_to_scale(homography: npt.NDArray[np.float64], at: npt.NDArray[np.float32]) -> bool:
    """Whether a homography keeps lengths and orientation about a point, within MAX_STRETCH."""
    x, y, w = homography @ np.array([*at, 1.0])
    jacobian = (homography[:2, :2] - np.outer([x / w, y / w], homography[2, :2])) / w
    stretch = np.linalg.svd(jacobian, compute_uv=False)
    return bool(np.linalg.det(jacobian) > 0 and stretch[0] <= MAX_STRETCH and stretch[1] >= 1 / MAX_STRETCH)


def _blocks(rows: int, cols: int) -> Iterator[tuple[int, int]]:
    return ((row, col) for row in range(0, rows, BLOCK_PX) for col in range(0, cols, BLOCK_PX))


def _describe(grey: npt.NDArray[np.uint8], mask: npt.NDArray[np.uint8], most: int = MAX_KEYPOINTS) -> _Keypoints:
    """The strongest keypoints inside a mask."""
    akaze = cv2.AKAZE.create(cv2.AKAZE_DESCRIPTOR_MLDB_UPRIGHT, threshold=AKAZE_THRESHOLD)
    points, descriptors = akaze.detectAndCompute(grey, mask)
    if not points:
        return _Keypoints(np.zeros((0, 2), np.float32), np.zeros((0, 61), np.uint8))
    best = np.argsort([-p.response for p in points], kind="stable")[:most]
    places = np.array([p.pt for p in points], np.float32).reshape(-1, 2)[best]
    return _Keypoints(places, np.asarray(descriptors, np.uint8)[best])
