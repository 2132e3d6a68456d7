"""A map in memory and a camera image of one of its places, for `mift bench pipeline`: all of the localizer runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from mift_ros.cache.manifest import CacheManifest
from mift_ros.cache.reader import MapCache
from mift_ros.commands.bench_speed import random_tiles
from mift_ros.geometry.camera import CameraModel
from mift_ros.inference.embedder import Embedder
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.hypotheses import Hypotheses, make_hypotheses
from mift_ros.localization.localizer import Localizer
from mift_ros.localization.types import Fix, Frame, Telemetry

CAMERA = CameraModel.from_fov(1920, 1080, 60.0)
HEIGHT_AGL_M = 120.0
TILE_M, STRIDE_M, RASTER_GSD_M = 72.0, 18.0, 1.0
JPEG_QUALITY = 90


@dataclass(frozen=True)
class Scene:
    """Random ground and embeddings; only the tile that the camera is over has the embedding of its image."""

    cache: MapCache
    embedder: Embedder
    jpeg: npt.NDArray[np.uint8]

    @classmethod
    def over(cls, tiles: int, embedder: Embedder) -> Scene:
        """A square map of at least so many tiles."""
        side = math.ceil(math.sqrt(tiles))
        manifest = _manifest(side, embedder)
        ground = _ground(round(((side - 1) * STRIDE_M + TILE_M) / RASTER_GSD_M))
        cells = np.stack(np.divmod(np.arange(tiles, dtype=np.int32), side), axis=1)
        centres = np.array([1.0, -1.0]) * cells[:, ::-1] * STRIDE_M + np.array([TILE_M / 2, -TILE_M / 2])
        arrays = {"embeddings": random_tiles(tiles, embedder.identity.embedding_dim), "centres_m": centres}
        cache = MapCache(Path("in memory"), manifest, {**arrays, "cells": cells, "raster": ground})
        here = tiles // 2
        scene = cls(cache, embedder, _photo(ground, centres[here]))
        known = scene.known()
        cache.embeddings[here] = embedder.embed(known.rectify().patches[:1])[0]
        return scene

    @property
    def shape(self) -> str:
        """The image's, in words."""
        return f"{CAMERA.width}x{CAMERA.height}"

    def known(self) -> Case:
        """Heading and height known, one look."""
        return Case(self, LocalizerConfig(looks=1, calibration="none"), 0.0)

    def unknown(self, yaw_bins: int, looks: int) -> Case:
        """Height known, heading not."""
        return Case(self, LocalizerConfig(looks=looks, yaw_bins=yaw_bins, calibration="none"), math.nan)


@dataclass(frozen=True)
class Case:
    """What is known of the frame, and how it is located."""

    scene: Scene
    config: LocalizerConfig
    heading_deg: float

    @property
    def telemetry(self) -> Telemetry:
        """Level, at HEIGHT_AGL_M."""
        return Telemetry(0.0, 0.0, self.heading_deg, HEIGHT_AGL_M)

    def frame(self) -> Frame:
        """Decode the image."""
        decoded = cv2.imdecode(self.scene.jpeg, cv2.IMREAD_COLOR)
        assert decoded is not None
        return Frame(1, cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False), CAMERA)

    def rectify(self) -> Hypotheses:
        """The patches to embed."""
        pixels = self.scene.embedder.identity.input_size
        return make_hypotheses(self.frame(), self.telemetry, self.config, TILE_M, pixels)


@dataclass(frozen=True)
class Stages:
    """The stages of a case, how many patches it embeds, and what is decided."""

    calls: dict[str, Callable[[], object]]
    patches: int
    outcome: str


def stages(case: Case) -> Stages:
    """Each stage as a call on what the stage before gives, and all of them as the localizer does them, from lost."""
    embedder, cache = case.scene.embedder, case.scene.cache
    frame, made, localizer = case.frame(), case.rectify(), Localizer(cache, embedder, case.config)
    queries = embedder.embed(made.patches)
    pixels = embedder.identity.input_size

    def locate() -> object:
        localizer.reset()
        return localizer.locate(case.frame(), case.telemetry)

    result = locate()
    outcome = "published" if isinstance(result, Fix) else f"rejected, {getattr(result, 'detail', '')}"
    calls: dict[str, Callable[[], object]] = {
        "decode": case.frame,
        "rectify": partial(make_hypotheses, frame, case.telemetry, case.config, TILE_M, pixels),
        "embed": partial(embedder.embed, made.patches),
        "search": partial(localizer.search.cosine, queries),
        "all": locate,
    }
    return Stages(calls, len(made.patches), outcome)


def _ground(side: int) -> npt.NDArray[np.uint8]:
    """Grey noise of several scales [side, side]: something to correlate, nowhere alike."""
    rng, ground = np.random.default_rng(2), np.zeros((side, side), np.float32)
    for cell in (4, 16, 64):
        coarse = rng.standard_normal((side // cell + 2, side // cell + 2), np.float32)
        ground += cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.clip(127 + 30 * ground, 1, 255).astype(np.uint8)


def _photo(ground: npt.NDArray[np.uint8], centre_m: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """JPEG of what CAMERA sees from HEIGHT_AGL_M, level and heading north, over a point of the map."""
    step = HEIGHT_AGL_M / CAMERA.fx / RASTER_GSD_M
    x, y = centre_m[0] / RASTER_GSD_M - 0.5, -centre_m[1] / RASTER_GSD_M - 0.5
    to_ground = np.array([[step, 0, x - step * CAMERA.cx], [0, step, y - step * CAMERA.cy]])
    size, flags = (CAMERA.width, CAMERA.height), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen = cv2.warpAffine(ground, to_ground, size, flags=flags, borderMode=cv2.BORDER_REFLECT)
    colour = cv2.cvtColor(seen, cv2.COLOR_GRAY2BGR)
    return np.asarray(cv2.imencode(".jpg", colour, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1], np.uint8)


def _manifest(side: int, embedder: Embedder) -> CacheManifest:
    identity = embedder.identity
    extent = (side - 1) * STRIDE_M + TILE_M
    return CacheManifest(
        model_name=identity.name,
        model_variant=identity.variant,
        model_sha256=identity.weights_sha256,
        embedding_dim=identity.embedding_dim,
        input_size=identity.input_size,
        crs="",
        origin_lat_deg=45.0,
        origin_lon_deg=10.0,
        bounds_m=(0.0, -extent, extent, 0.0),
        bounds_deg=(10.0, 44.9, 10.1, 45.0),
        tile_size_m=TILE_M,
        stride_m=STRIDE_M,
        tile_gsd_m=TILE_M / identity.input_size,
        grid_rows=side,
        grid_cols=side,
        raster_west_m=0.0,
        raster_north_m=0.0,
        raster_gsd_m=RASTER_GSD_M,
        source_name="noise",
        source_sha256="0" * 64,
        imagery_date="",
        attribution="",
        build_command="",
        created_utc="",
        software_version="",
    )
