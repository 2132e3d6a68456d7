"""MBTiles, of which two things must be known before GDAL reads them: their SQL ends, their tiles fit the memory."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from rasterio.io import DatasetReader

from mift_ros.errors import MapError
from mift_ros.maps.raster import open_dataset

MAX_TILE_PX = 4096
"""GDAL decodes whole tiles; one of 20,000 pixels a side takes 3 GB."""


def open_mbtiles(path: Path, **options: Any) -> DatasetReader:
    """Open an MBTiles file over the extent of its tiles: the bounds that such files tell are often the whole world.

    Raises:
        MapError: not an MBTiles file, tiles that are no images or too large, or a view with a WITH clause, which may
            run without end. Other views are common.
    """
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            views = database.execute("SELECT sql FROM sqlite_master WHERE type = 'view'").fetchall()
    except (sqlite3.Error, UnicodeError) as error:
        raise MapError(f"{path}: not an MBTiles file that can be read ({error})") from error
    if any(re.search(r"\bwith\b", str(sql), re.IGNORECASE) for (sql,) in views):
        raise MapError(f"{path}: a view in it has a WITH clause, which may never end; make it a table")
    dataset = open_dataset(str(path), str(path), ("MBTiles",), USE_BOUNDS="NO", **options)
    if max(dataset.block_shapes[0]) > MAX_TILE_PX:
        dataset.close()
        raise MapError(f"{path}: tiles of more than {MAX_TILE_PX} pixels a side; cut them into smaller ones")
    return dataset
