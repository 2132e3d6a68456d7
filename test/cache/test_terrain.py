"""A cache that carries the heights of the ground, and those that do not."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine
from typer.testing import CliRunner

from mift_ros.cache.build import BuildOptions, build_cache
from mift_ros.cache.layout import metadata_of
from mift_ros.cache.manifest import CacheManifest
from mift_ros.cache.reader import MapCache, read_header
from mift_ros.cache.verify import verify_cache
from mift_ros.commands.map import app
from mift_ros.errors import CacheError
from mift_ros.inference.embedder import Embedder
from mift_ros.maps.source import MapSource
from mift_ros.maps.terrain import open_terrain

OPTIONS = BuildOptions(tile_size_m=32.0, stride_m=8.0)


@pytest.fixture(scope="session")
def dem_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plane that rises by 20 % eastwards around the map, 300 m at its west edge."""
    path = tmp_path_factory.mktemp("dem") / "dem.tif"
    heights = 300.0 + 0.2 * (np.arange(80) * 5.0 + 2.5 - 100.0) + np.zeros((80, 1))
    profile = {"width": 80, "height": 80, "count": 1, "dtype": "float32", "crs": "EPSG:32632"}
    with rasterio.open(path, "w", transform=Affine(5, 0, 499_900, 0, -5, 5_300_130), **profile) as dataset:
        dataset.write(heights.astype(np.float32), 1)
    return path


@pytest.fixture
def hilly(source: MapSource, embedder: Embedder, dem_path: Path, tmp_path: Path) -> Path:
    path = tmp_path / "hilly.cache"
    build_cache(source, embedder, path, OPTIONS, terrain=open_terrain(dem_path, "egm96", 47.0))
    return path


def test_the_heights_lie_where_the_map_does_and_around_it(hilly: Path) -> None:
    cache = MapCache.open(hilly)
    assert cache.terrain is not None and cache.terrain.datum == "ellipsoid"
    west, south, east, north = cache.manifest.bounds_m
    heights = cache.terrain.at([(0.0, 0.0), (west, 0.0), (east, 0.0), (0.0, north), (0.0, south)])
    assert heights == pytest.approx(np.array([20.0, 0.0, 40.0, 20.0, 20.0]) + 347.0, abs=0.6)
    assert np.isfinite(cache.terrain.at([(west - 40, south - 40), (east + 40, north + 40)])).all()
    assert cache.terrain.heights_m.flags.aligned and not cache.terrain.heights_m.flags.writeable


def test_all_else_is_as_without(hilly: Path, source: MapSource, embedder: Embedder, tmp_path: Path) -> None:
    build_cache(source, embedder, tmp_path / "flat.cache", OPTIONS)
    flat, with_heights = MapCache.open(tmp_path / "flat.cache"), MapCache.open(hilly)
    assert flat.terrain is None and flat.manifest.format_version == 1
    assert with_heights.manifest.format_version == 2
    for name in ("embeddings", "centres_m", "cells", "raster"):
        assert np.array_equal(getattr(flat, name), getattr(with_heights, name))
    assert with_heights.nbytes > flat.nbytes
    assert verify_cache(hilly).tiles == len(flat)


def test_a_cache_without_heights_says_nothing_of_them(cache_path: Path) -> None:
    _, content, metadata = read_header(cache_path)
    manifest = json.loads(metadata["manifest"])
    assert manifest["format_version"] == 1
    assert "terrain" not in manifest and "terrain" not in content


def test_the_manifest_survives_its_json(hilly: Path) -> None:
    manifest = MapCache.open(hilly).manifest
    assert CacheManifest.from_json(manifest.to_json(), "here") == manifest


@pytest.mark.parametrize("change", [{"datum": "sea"}, {"gsd_m": 0.0}, {"west_m": None}, {"sha256": 7}], ids=str)
def test_facts_out_of_place(hilly: Path, change: dict[str, Any]) -> None:
    raw = json.loads(MapCache.open(hilly).manifest.to_json())
    raw["terrain"].update(change)
    with pytest.raises(CacheError, match="here: manifest field"):
        CacheManifest.from_json(json.dumps(raw), "here")


def test_a_manifest_that_promises_heights_which_are_not_there(cache_path: Path, hilly: Path, tmp_path: Path) -> None:
    facts = MapCache.open(hilly).manifest.terrain
    path = tmp_path / "copy.cache"
    shutil.copy(cache_path, path)
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    manifest = replace(MapCache.open(cache_path).manifest, terrain=facts)
    header["__metadata__"] = metadata_of(manifest.to_json(), "0" * 64)
    path.write_bytes(content[:8] + json.dumps(header).encode().ljust(length) + content[8 + length :])
    with pytest.raises(CacheError, match="disagree about a terrain model"):
        MapCache.open(path)


def test_the_command_builds_and_shows_it(map_path: Path, dem_path: Path, tiny_model_path: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "town.cache")
    words = ["build", str(map_path), "-o", out, "--model", str(tiny_model_path), "--tile-size-m", "32"]
    built = CliRunner().invoke(app, [*words, "--terrain", str(dem_path), "--terrain-datum", "egm2008"])
    assert built.exit_code == 0, built.output
    assert "above egm2008" in CliRunner().invoke(app, ["info", out], env={"COLUMNS": "200"}).output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--terrain", "{dem}"), "nothing in it says what its heights are above"),
        (("--terrain", "absent.tif"), "absent.tif: no such terrain model"),
        (("--terrain-datum", "egm96"), "give --terrain too"),
    ],
)
def test_errors_are_one_line_and_exit_code_2(
    map_path: Path, dem_path: Path, tiny_model_path: Path, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    import subprocess
    import sys

    said = [word.format(dem=dem_path) for word in words]
    command = [sys.executable, "-m", "mift_ros.cli", "map", "build", str(map_path), "-o", str(tmp_path / "x")]
    result = subprocess.run(
        [*command, "--model", str(tiny_model_path), *said], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 2
    assert result.stderr.startswith("mift: ") and told in result.stderr
    assert result.stderr.count("\n") == 1
