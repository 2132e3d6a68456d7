"""GDAL as maps are read with it: few formats, no network, a bounded cache, and each of its errors as one line."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError, RasterioIOError

from mift_ros.errors import GeometryError, MapError

BLOCK_CACHE_BYTES = 64 * 2**20
"""GDAL's default is 5 % of the machine's memory; a fixed figure keeps reading flat for a map of any size."""
DRIVERS = (
    "GTiff", "VRT", "JP2OpenJPEG", "JPEG", "PNG", "WEBP", "HFA", "ENVI", "AAIGrid", "DTED", "SRTMHGT",
)  # fmt: skip
"""Formats of files of any name but .mbtiles: GDAL also knows such as fetch from servers or run SQL."""
_OPTIONS = {
    "GDAL_CACHEMAX": BLOCK_CACHE_BYTES,
    # A VRT may name servers as its sources: /vsicurl and its kin open one file alone, which does not exist, and what
    # other drivers ask for goes to a port where nothing listens.
    "CPL_VSIL_CURL_ALLOWED_FILENAME": "none",
    "GDAL_HTTP_PROXY": "http://127.0.0.1:1",
}
GDAL_ERRORS = (RasterioError, RasterioIOError, CPLE_BaseError)
"""GDAL's own derive from Exception, and before rasterio 1.4 those of files from OSError."""
_ERRORS = (*GDAL_ERRORS, GeometryError, ValueError, OverflowError)
"""Those of a CRS and of a path that is not UTF-8 derive from ValueError."""
_SHOWN_CHARACTERS = 200


@contextmanager
def gdal(trouble: str) -> Iterator[None]:
    """Calls of GDAL; `trouble` names the file and begins the error's line.

    Raises:
        MapError: GDAL, or what it says of the place, is an error.
    """
    try:
        with rasterio.Env(**_OPTIONS):
            yield
    except _ERRORS as error:
        raise MapError(f"{trouble} ({_first_cause(error)})") from error


def _first_cause(error: BaseException) -> str:
    """What GDAL said, on one line; of a CRS it quotes pages of JSON."""
    while error.__cause__ is not None:
        error = error.__cause__
    return textwrap.shorten(str(error).partition("{")[0].rstrip("`' "), _SHOWN_CHARACTERS)
