"""Aerial and satellite images held in memory as uint8 pyramids with their ground sample distance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from mift_ros.errors import TrainingError
from training.data.orthophotos.places import Place, Sides

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

    from training.recipes.data_schema import SourceSpec

GEOTIFF_SUFFIXES = (".tif", ".tiff")
SMALLEST_LEVEL_PX = 160
MASK_STEP_PX = 16
"""The mask of valid pixels is kept at a sixteenth of the resolution: enough to keep tiles off the black border."""


@dataclass(frozen=True)
class Imagery:
    """One image of the ground.

    pyramid: RGB uint8 [H, W, 3], each level half of the one before; gsd_m: metres per pixel of the first level;
    valid: bool, one cell per MASK_STEP_PX pixels; domain: images of one domain may show the same ground;
    held_out: kept for evaluation, never trained on.
    """

    name: str
    pyramid: tuple[npt.NDArray[np.uint8], ...]
    gsd_m: float
    valid: npt.NDArray[np.bool_]
    group: int
    domain: str
    held_out: bool

    @property
    def size_m(self) -> tuple[float, float]:
        """Width and height on the ground."""
        height, width = self.pyramid[0].shape[:2]
        return width * self.gsd_m, height * self.gsd_m

    def smallest_m(self, side_m: tuple[float, float], least_px: float) -> float:
        """Side of its smallest places."""
        return max(side_m[0], least_px * self.gsd_m)

    def weight(self, side_m: tuple[float, float], least_px: float) -> float:
        """The square root of its area; 0 where no place fits."""
        width_m, height_m = self.size_m
        fits = min(width_m, height_m) >= self.smallest_m(side_m, least_px)
        return math.sqrt(width_m * height_m) if fits else 0.0

    def draw(self, index: int, side_m: tuple[float, float], least_px: float, rng: np.random.Generator) -> Place | None:
        """A random square, turned and mirrored at random; None where it has no data."""
        width_m, height_m = self.size_m
        smallest_m = self.smallest_m(side_m, least_px)
        largest_m = max(min(side_m[1], width_m, height_m), smallest_m)
        side = float(np.exp(rng.uniform(math.log(smallest_m), math.log(largest_m))))
        x_m = float(rng.uniform(side / 2, width_m - side / 2))
        y_m = float(rng.uniform(side / 2, height_m - side / 2))
        turn_rad, mirrored = float(rng.uniform(-math.pi, math.pi)), bool(rng.random() < 0.5)
        return Place(index, x_m, y_m, side, turn_rad, mirrored) if self.is_valid(x_m, y_m, side / 2) else None

    def sides(self, place: Place) -> Sides:
        """Both views show the one image."""
        return Sides(self, self, place)

    def is_valid(self, x_m: float, y_m: float, radius_m: float) -> bool:
        """Whether the square of half-side radius_m around (x_m, y_m) shows ground everywhere."""
        cell_m = self.gsd_m * MASK_STEP_PX
        top, bottom = int((y_m - radius_m) / cell_m), int((y_m + radius_m) / cell_m) + 1
        left, right = int((x_m - radius_m) / cell_m), int((x_m + radius_m) / cell_m) + 1
        return bool(self.valid[max(top, 0) : bottom, max(left, 0) : right].all())


def load_imagery(root: Path, sources: tuple[SourceSpec, ...], finest_gsd_m: float) -> list[Imagery]:
    """Every image of the recipe's sources that have images, read no finer than finest_gsd_m.

    Raises TrainingError for a missing or empty folder, a pattern without images and an image that cannot be read.
    """
    if not root.is_dir():
        raise TrainingError(f"{root}: no such data folder; give the folder of the training images with --data")
    images: list[Imagery] = []
    for group, source in enumerate(sources):
        if not source.images:
            continue
        paths = sorted(root.glob(source.images))
        if not paths:
            raise TrainingError(f"{root}: no image matches '{source.images}'; correct --data or the recipe's sources")
        images += [_load(path, root, source, group, index, finest_gsd_m) for index, path in enumerate(paths)]
    return images


def _load(path: Path, root: Path, source: SourceSpec, group: int, index: int, finest_gsd_m: float) -> Imagery:
    name = str(path.relative_to(root))
    if path.suffix.lower() in GEOTIFF_SUFFIXES:
        pixels, valid, gsd_m = _read_geotiff(path, finest_gsd_m)
    else:
        pixels, gsd_m = _read_image(path, source.gsd_m, finest_gsd_m)
        valid = np.ones(pixels.shape[:2], np.uint8)
    domain = source.images if source.overlapping else name
    return Imagery(name, _pyramid(pixels), gsd_m, _coarse_mask(valid), group, domain, source.holds_out(index))


def _read_image(path: Path, gsd_m: float, finest_gsd_m: float) -> tuple[npt.NDArray[np.uint8], float]:
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if pixels is None:
        raise TrainingError(f"{path}: the image cannot be read; replace or remove it")
    if not gsd_m > 0:
        raise TrainingError(f"{path}: the image carries no scale; give gsd_m for its source in the recipe")
    shrink = min(gsd_m / finest_gsd_m, 1.0)
    size = (round(pixels.shape[1] * shrink), round(pixels.shape[0] * shrink))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if shrink < 1.0 else pixels
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), np.uint8), gsd_m / shrink


def _read_geotiff(path: Path, finest_gsd_m: float) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], float]:
    import rasterio
    from rasterio.enums import Resampling
    from rasterio.errors import RasterioError

    try:
        with rasterio.open(path) as dataset:
            gsd_m = geotiff_gsd_m(dataset)
            shrink = min(gsd_m / finest_gsd_m, 1.0)
            shape = (max(round(dataset.height * shrink), 1), max(round(dataset.width * shrink), 1))
            bands = dataset.read([1, 2, 3], out_shape=(3, *shape), resampling=Resampling.average)
            valid = dataset.dataset_mask(out_shape=shape)
    except (RasterioError, IndexError) as error:
        raise TrainingError(
            f"{path}: the GeoTIFF cannot be read as three bands ({error}); replace or remove it"
        ) from error
    return np.ascontiguousarray(bands.transpose(1, 2, 0), np.uint8), (valid > 0).astype(np.uint8), gsd_m / shrink


def geotiff_gsd_m(dataset: DatasetReader) -> float:
    """True metres per pixel at the centre of the dataset, whatever its CRS (Web Mercator stretches by 1 / cos(lat))."""
    from pyproj import Geod
    from rasterio.warp import transform

    if dataset.crs is None:
        raise TrainingError(f"{dataset.name}: the GeoTIFF has no CRS; assign one with 'gdal_edit -a_srs'")
    row, column = dataset.height // 2, dataset.width // 2
    xs, ys = zip(dataset.xy(row, column), dataset.xy(row, column + 1), strict=True)
    lon, lat = transform(dataset.crs, "EPSG:4326", xs, ys)
    distance_m = float(Geod(ellps="WGS84").inv(lon[0], lat[0], lon[1], lat[1])[2])
    if not (math.isfinite(distance_m) and distance_m > 0):
        raise TrainingError(f"{dataset.name}: the georeference gives no ground sample distance; check its transform")
    return distance_m


def _pyramid(pixels: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], ...]:
    levels = [pixels]
    while min(levels[-1].shape[:2]) >= 2 * SMALLEST_LEVEL_PX:
        height, width = levels[-1].shape[:2]
        half = cv2.resize(levels[-1], (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        levels.append(np.asarray(half, np.uint8))
    return tuple(levels)


def _coarse_mask(valid: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    height, width = valid.shape
    cells = (max(width // MASK_STEP_PX, 1), max(height // MASK_STEP_PX, 1))
    share = cv2.resize(valid.astype(np.float32), cells, interpolation=cv2.INTER_AREA)
    return np.asarray(share > 0.9, np.bool_)
