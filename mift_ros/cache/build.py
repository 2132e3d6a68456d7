"""Embed a map once, before flight: raster, tiles, embeddings, manifest."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import mift_ros
from mift_ros.cache.grid import MetricBounds, TileGrid, metric_bounds, plan_grid, raster_shape
from mift_ros.cache.layout import data_bytes, plan
from mift_ros.cache.manifest import CacheManifest, TerrainFacts
from mift_ros.cache.raster import MIN_VALID_SHARE, cells_with_data, draw_raster
from mift_ros.cache.terrain import draw_terrain
from mift_ros.cache.tiles import Progress, embed_tiles
from mift_ros.cache.workfile import WorkFile, partial_path
from mift_ros.errors import CacheError, MapError
from mift_ros.geometry.frames import LocalFrame
from mift_ros.inference.embedder import Embedder
from mift_ros.maps.source import MapSource
from mift_ros.maps.terrain import TerrainModel

DEFAULT_TILE_SIZE_M = 72.0
STRIDES_PER_TILE = 4
"""With a quarter tile between neighbours, no place is further than an eighth of a tile from a centre, per axis."""
FINEST_RASTER_GSD_M = 1.0
MOST_RASTER_PX = 150
"""Along a tile, unless the user asks for more."""


@dataclass(frozen=True)
class BuildOptions:
    """Choices of the user.

    None is a quarter tile for `stride_m`, and for `raster_gsd_m` the coarsest of 1 m, the map and a 150th of a tile:
    what the refinement holds in memory grows with the square of a tile's pixels.
    """

    tile_size_m: float = DEFAULT_TILE_SIZE_M
    stride_m: float | None = None
    raster_gsd_m: float | None = None
    imagery_date: str = ""
    attribution: str = ""
    build_command: str = ""


def build_cache(
    source: MapSource,
    embedder: Embedder,
    out_path: str | Path,
    options: BuildOptions | None = None,
    progress: Progress = lambda stage, done, total: None,
    terrain: TerrainModel | None = None,
) -> CacheManifest:
    """Build the cache of a map; an interrupted build of the same inputs is continued from `out_path`.partial.

    With `terrain` the cache carries the heights of the ground too.

    Raises:
        MapError: the map is damaged, smaller than a tile, or has no data; the terrain model is damaged or elsewhere.
        ConfigError: tile size, stride or raster resolution out of range.
        CacheError: the cache does not fit the disk, or another process is building it.
    """
    out_path, options = Path(out_path), options or BuildOptions()
    bounds = source.bounds
    frame = LocalFrame((bounds.south + bounds.north) / 2, (bounds.west + bounds.east) / 2)
    extent = metric_bounds(bounds, frame)
    stride_m = options.stride_m if options.stride_m is not None else options.tile_size_m / STRIDES_PER_TILE
    grid = plan_grid(extent, options.tile_size_m, stride_m, embedder.identity.input_size, source.name)
    heights, facts = draw_terrain(terrain, frame, extent, 2 * grid.tile_size_m) if terrain is not None else (None, None)
    manifest = _manifest(source, embedder, options, frame, extent, grid, facts)
    shape = raster_shape(extent, manifest.raster_gsd_m, grid.tile_size_m)
    terrain_shape = None if heights is None else (heights.shape[0], heights.shape[1])
    _check_disk(out_path, data_bytes(plan(shape, grid.rows * grid.cols, manifest.embedding_dim, terrain_shape)))
    try:
        with WorkFile(partial_path(out_path), manifest, shape, heights) as work:
            draw_raster(source, frame, work, shape, progress)
            cells = cells_with_data(work, grid, shape)
            if not len(cells):
                raise MapError(f"{source.name}: no tile is at least {MIN_VALID_SHARE:.0%} covered by imagery")
            work.place_tiles(cells, grid)
            embed_tiles(source, frame, embedder, work, grid, cells, progress)
            work.finish(out_path)
            return work.manifest
    except OSError as error:
        raise CacheError(f"{out_path}: cannot be written ({error.strerror or error})") from error


def _manifest(
    source: MapSource,
    embedder: Embedder,
    options: BuildOptions,
    frame: LocalFrame,
    extent: MetricBounds,
    grid: TileGrid,
    terrain: TerrainFacts | None,
) -> CacheManifest:
    identity = embedder.identity
    finest_m = max(FINEST_RASTER_GSD_M, source.gsd_m, options.tile_size_m / MOST_RASTER_PX)
    raster_gsd_m = options.raster_gsd_m if options.raster_gsd_m is not None else finest_m
    return CacheManifest(
        model_name=identity.name,
        model_variant=identity.variant,
        model_sha256=identity.weights_sha256,
        embedding_dim=identity.embedding_dim,
        input_size=identity.input_size,
        crs=frame.crs.to_string(),
        origin_lat_deg=frame.origin_lat_deg,
        origin_lon_deg=frame.origin_lon_deg,
        bounds_m=(*extent,),
        bounds_deg=(*source.bounds,),
        tile_size_m=grid.tile_size_m,
        stride_m=grid.stride_m,
        tile_gsd_m=grid.gsd_m,
        grid_rows=grid.rows,
        grid_cols=grid.cols,
        raster_west_m=extent.west,
        raster_north_m=extent.north,
        raster_gsd_m=raster_gsd_m,
        source_name=source.name,
        source_sha256=source.sha256(),
        imagery_date=options.imagery_date,
        attribution=options.attribution,
        build_command=options.build_command,
        created_utc=_now_utc(),
        software_version=mift_ros.__version__,
        terrain=terrain,
    )


def _now_utc() -> str:
    """ISO 8601; SOURCE_DATE_EPOCH overrides the clock, so that a build can be repeated byte for byte."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.fromtimestamp(int(epoch), timezone.utc) if epoch else datetime.now(timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _check_disk(out_path: Path, needed: int) -> None:
    if not out_path.parent.is_dir():
        raise CacheError(f"{out_path.parent}: no such folder to write the cache to")
    if out_path.is_dir():
        raise CacheError(f"{out_path}: is a folder; name the file that the cache is to be")
    partial = partial_path(out_path)
    free = shutil.disk_usage(out_path.parent).free + (partial.stat().st_blocks * 512 if partial.exists() else 0)
    if needed > free:
        raise CacheError(
            f"{out_path}: the cache may need {needed / 1e6:.0f} MB, {free / 1e6:.0f} MB are free; "
            "use a larger stride or another disk"
        )
