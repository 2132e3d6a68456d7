"""What a map is to the rest of the system: pixels on a metric north-up grid, wherever they come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from mift_ros.geometry.frames import LocalFrame


class GeoBounds(NamedTuple):
    """WGS 84 bounding box in degrees."""

    west: float
    south: float
    east: float
    north: float


@dataclass(frozen=True)
class Patch:
    """Map pixels: `rgb` [H, W, 3] uint8, `valid` [H, W] bool (False where the map has no data)."""

    rgb: npt.NDArray[np.uint8]
    valid: npt.NDArray[np.bool_]


class MapSource(Protocol):
    """A georeferenced image of any CRS and size, read by windows."""

    name: str
    """File or folder name, for manifests and messages."""

    @property
    def bounds(self) -> GeoBounds:
        """Extent in WGS 84 degrees."""
        ...

    @property
    def gsd_m(self) -> float:
        """Native ground sample distance at the map's centre, metres per pixel on the ground."""
        ...

    def sha256(self) -> str:
        """SHA-256 over the source file(s), in hex."""
        ...

    def read(self, frame: LocalFrame, west_m: float, north_m: float, width: int, height: int, gsd_m: float) -> Patch:
        """Read a north-up window of `width` x `height` pixels whose top-left corner is (west_m, north_m) in `frame`."""
        ...

    def close(self) -> None:
        """Release file handles."""
        ...
