"""A small map with a hole, the tiny model over it, and a cache built from both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine

from mift_ros.cache.build import BuildOptions, build_cache
from mift_ros.inference.onnx import OnnxEmbedder
from mift_ros.maps.open import open_map
from mift_ros.maps.source import MapSource

OPTIONS = BuildOptions(tile_size_m=32.0, stride_m=8.0, imagery_date="2024-05", attribution="nobody")


@pytest.fixture(scope="session")
def map_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A 200 x 140 m GeoTIFF at 0.5 m per pixel: smooth noise, with no data in its south-east quarter."""
    rng = np.random.default_rng(5)
    coarse = rng.integers(1, 256, (35, 50, 3), dtype=np.uint8)
    pixels = cv2.resize(coarse, (400, 280), interpolation=cv2.INTER_CUBIC).transpose(2, 0, 1)
    pixels = np.maximum(pixels, 1)
    pixels[:, 140:, 200:] = 0
    path = tmp_path_factory.mktemp("map") / "town.tif"
    place = Affine(0.5, 0, 500_000, 0, -0.5, 5_300_000)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=400,
        height=280,
        count=3,
        dtype="uint8",
        crs="EPSG:32632",
        transform=place,
        nodata=0,
    ) as dataset:
        dataset.write(pixels)
    return path


@pytest.fixture
def source(map_path: Path) -> Iterator[MapSource]:
    opened = open_map(map_path)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def embedder(tiny_model_path: Path) -> OnnxEmbedder:
    return OnnxEmbedder(tiny_model_path, threads=1)


@pytest.fixture(scope="session")
def cache_path(map_path: Path, embedder: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished cache; tests copy it before they damage it."""
    path = tmp_path_factory.mktemp("cache") / "town.cache"
    build_cache(open_map(map_path), embedder, path, OPTIONS)
    return path
