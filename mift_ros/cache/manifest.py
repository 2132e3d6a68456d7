"""What a map cache says about itself: model, place, grid, source. Checked whenever a cache is opened."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from typing import Any, get_args, get_origin, get_type_hints

from mift_ros.errors import CacheError
from mift_ros.geometry.frames import LocalFrame
from mift_ros.geometry.terrain import DATUMS
from mift_ros.inference.embedder import ModelIdentity

FORMAT_VERSION, TERRAIN_VERSION = 1, 2
"""Of a cache as it always was, and of one with a terrain model, which older software could not lay out."""
SHA_SHOWN = 12
"""Hex digits of a SHA-256 that messages and tables show."""

_POSITIVE = ("embedding_dim", "input_size", "tile_size_m", "stride_m", "tile_gsd_m", "grid_rows", "grid_cols")
_LARGEST = 1e9
"""No metres, degrees, pixels or tiles of a map on Earth are more; below it nothing overflows."""
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True)
class TerrainFacts:
    """Where the heights of a cache come from and lie; `undulation_m` was added to the source's to be above `datum`.

    `west_m`, `north_m` is the top-left corner of the array.
    """

    name: str
    sha256: str
    datum: str
    undulation_m: float
    west_m: float
    north_m: float
    gsd_m: float


@dataclass(frozen=True)
class CacheManifest:
    """All facts of a cache besides its arrays.

    Metres are east and north in the LocalFrame at (origin_lat_deg, origin_lon_deg); bounds are west, south, east,
    north. `raster_west_m`, `raster_north_m` is the top-left corner of the grey raster. `build_command` and
    `software_version` are for people; `pca` is reserved for a projection matrix and is null.
    """

    model_name: str
    model_variant: str
    model_sha256: str
    embedding_dim: int
    input_size: int
    crs: str
    origin_lat_deg: float
    origin_lon_deg: float
    bounds_m: tuple[float, float, float, float]
    bounds_deg: tuple[float, float, float, float]
    tile_size_m: float
    stride_m: float
    tile_gsd_m: float
    grid_rows: int
    grid_cols: int
    raster_west_m: float
    raster_north_m: float
    raster_gsd_m: float
    source_name: str
    source_sha256: str
    imagery_date: str
    attribution: str
    build_command: str
    created_utc: str
    software_version: str
    yaw_bins: int = 1
    pca: None = None
    terrain: TerrainFacts | None = None

    @property
    def format_version(self) -> int:
        """The oldest that holds what this cache has."""
        return FORMAT_VERSION if self.terrain is None else TERRAIN_VERSION

    def to_json(self) -> str:
        """One-line JSON."""
        content = {**asdict(self), "format_version": self.format_version}
        if self.terrain is None:
            del content["terrain"]
        return json.dumps(content, sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str, where: str) -> CacheManifest:
        """Parse and check to_json's text; `where` names the file in the error.

        Raises:
            CacheError: a future version, a missing field, a wrong type or a value out of range.
        """
        try:
            raw = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise CacheError(f"{where}: the manifest is not JSON ({error}); build the cache again") from error
        version = raw.get("format_version") if isinstance(raw, dict) else None
        if version not in (FORMAT_VERSION, TERRAIN_VERSION) or isinstance(version, bool):
            raise CacheError(
                f"{where}: cache format version {version}, this software reads versions {FORMAT_VERSION} to "
                f"{TERRAIN_VERSION}; update mift_ros or build the cache again"
            )
        values = _fields(cls, raw, where)
        if version == TERRAIN_VERSION:
            part = raw.get("terrain")
            values["terrain"] = TerrainFacts(**_fields(TerrainFacts, part if isinstance(part, dict) else {}, where))
        manifest = cls(**values)
        manifest._check_ranges(where)
        return manifest

    def check_model(self, identity: ModelIdentity, where: str) -> None:
        """Raise CacheError naming both sides when the cache was built with other weights than `identity`'s."""
        if self.model_sha256 != identity.weights_sha256:
            raise CacheError(
                f"{where}: built with {self.model_name} {self.model_variant} ({self.model_sha256[:SHA_SHOWN]}), but "
                f"the loaded model is {identity.name} {identity.variant} ({identity.weights_sha256[:SHA_SHOWN]}); "
                "build the cache again with this model"
            )

    def check_origin(self, where: str) -> None:
        """For a manifest without a hash: raise CacheError when its origin is not that of its CRS."""
        if self.crs != LocalFrame(self.origin_lat_deg, self.origin_lon_deg).crs.to_string():
            raise CacheError(
                f"{where}: the origin ({self.origin_lat_deg}, {self.origin_lon_deg}) is not that of the CRS "
                f"{self.crs!r}; copy or build the cache again"
            )

    def _check_ranges(self, where: str) -> None:
        """Values that types cannot rule out."""
        checks = {name: getattr(self, name) > 0 for name in (*_POSITIVE, "raster_gsd_m", "yaw_bins")}
        checks["origin_lat_deg"] = abs(self.origin_lat_deg) <= 89.0
        checks["origin_lon_deg"] = abs(self.origin_lon_deg) <= 180.0
        checks["tile_gsd_m"] &= math.isclose(self.tile_gsd_m * self.input_size, self.tile_size_m, rel_tol=1e-6)
        for name in ("model_sha256", "source_sha256"):
            value = getattr(self, name)
            checks[name] = len(value) == 64 and set(value) <= _HEX
        for name in ("bounds_m", "bounds_deg"):
            west, south, east, north = getattr(self, name)
            checks[name] = west < east and south < north
        if self.terrain is not None:
            checks["terrain"] = self.terrain.gsd_m > 0 and self.terrain.datum in DATUMS
        for name, good in checks.items():
            if not good:
                raise CacheError(f"{where}: manifest field {name!r} is {getattr(self, name)!r}; build the cache again")


def _fields(kind: type[Any], raw: dict[str, Any], where: str) -> dict[str, Any]:
    """The fields of a dataclass but `terrain`, each of its type."""
    hints = get_type_hints(kind)
    return {f.name: _typed(raw.get(f.name), hints[f.name], f.name, where) for f in fields(kind) if f.name != "terrain"}


def _typed(value: Any, hint: Any, name: str, where: str) -> Any:
    """The value as its annotated type; JSON's whole numbers are also floats, its lists are tuples."""
    if get_origin(hint) is tuple and isinstance(value, list) and len(value) == len(get_args(hint)):
        return tuple(_typed(item, kind, name, where) for item, kind in zip(value, get_args(hint)))
    if isinstance(value, (int, float)) and not abs(value) <= _LARGEST:
        raise CacheError(f"{where}: manifest field {name!r} is too large or not a number; build the cache again")
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    # Python 3.10 calls tuple[float, float] a type, but not one to check instances of
    plain = isinstance(hint, type) and get_origin(hint) is None and hint is not float
    if plain and isinstance(value, hint) and not isinstance(value, bool):
        return value
    raise CacheError(f"{where}: manifest field {name!r} is {value!r}; build the cache again")
