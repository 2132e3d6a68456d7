"""The heights that a cache carries: where their grid lies, and its resolution."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mift_ros.cache.grid import MetricBounds
from mift_ros.cache.layout import RASTER_WIDTH_UNIT
from mift_ros.cache.manifest import TerrainFacts
from mift_ros.geometry.frames import LocalFrame
from mift_ros.maps.terrain import TerrainModel

FINEST_TERRAIN_GSD_M = 5.0
"""What a view sees is placed by the ground's relief over a tile; finer than this are houses."""
MOST_NODES = 4_000_000
"""16 MB; a larger map gets a coarser grid."""


def draw_terrain(
    model: TerrainModel, frame: LocalFrame, extent: MetricBounds, margin_m: float
) -> tuple[npt.NDArray[np.float32], TerrainFacts]:
    """Heights over the map and a margin around it, because the vehicle need not be over what it sees.

    Raises:
        MapError: see `TerrainModel.read`.
    """
    width, height = (extent.east - extent.west + 2 * margin_m, extent.north - extent.south + 2 * margin_m)
    gsd_m = max(FINEST_TERRAIN_GSD_M, model.gsd_m, math.sqrt(width * height / MOST_NODES))
    rows = max(math.ceil(height / gsd_m), 2)
    columns = math.ceil(width / gsd_m / RASTER_WIDTH_UNIT) * RASTER_WIDTH_UNIT
    west, north = extent.west - margin_m, extent.north + margin_m
    heights = model.read(frame, west, north, (rows, columns), gsd_m)
    facts = TerrainFacts(model.name, model.sha256(), model.datum, model.undulation_m, west, north, gsd_m)
    return heights, facts
