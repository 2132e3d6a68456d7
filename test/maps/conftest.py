"""Maps made on the spot: a ground pattern whose place is known, written in any CRS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine

WriteRaster = Callable[..., Path]


@pytest.fixture
def write_raster(tmp_path: Path) -> WriteRaster:
    """Write pixels [bands, H, W] as a GeoTIFF (or another driver) and return its path."""

    def write(
        pixels: np.ndarray,
        transform: Affine | None = None,
        crs: str | None = None,
        name: str = "map.tif",
        **profile: Any,
    ) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        bands, height, width = pixels.shape
        profile = {"driver": "GTiff", "dtype": pixels.dtype, **profile}
        place = {"transform": transform} if transform is not None else {}
        with rasterio.open(path, "w", width=width, height=height, count=bands, crs=crs, **place, **profile) as dataset:
            dataset.write(pixels)
        return path

    return write
