"""The places that a match is measured against have something to match."""

import numpy as np
import pytest
import rasterio

from mift_ros.cache.build import BuildOptions, build_cache
from mift_ros.cache.reader import MapCache
from mift_ros.errors import CacheError
from mift_ros.localization.chance import PLACES, Chance
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.localizer import Localizer
from mift_ros.localization.types import Reason, Rejection
from mift_ros.maps.open import open_map
from mift_ros.simulation.geotiff import write_world
from mift_ros.simulation.world import make_town

SHORE = 0.3
"""Share of the map that is town; the rest is water."""


@pytest.fixture(scope="module")
def coast(town, tmp_path_factory):
    """A town of which nearly three quarters lie under water."""
    folder = tmp_path_factory.mktemp("coast")
    files = write_world(make_town(seed=3, size_m=420.0, gsd_m=0.5), folder)
    with rasterio.open(files.map) as dataset:
        pixels, place = dataset.read(), {"crs": dataset.crs, "transform": dataset.transform}
    water = pixels[:, :, int(SHORE * pixels.shape[2]) :]
    water[:] = 60 + np.random.default_rng(0).normal(0.0, 1.0, water.shape)
    bands, height, width = pixels.shape
    size = {"count": bands, "height": height, "width": width}
    with rasterio.open(folder / "coast.tif", "w", driver="GTiff", dtype="uint8", **size, **place) as dataset:
        dataset.write(pixels)
    source = open_map(folder / "coast.tif")
    build_cache(source, town.embedder, folder / "coast.cache", BuildOptions(stride_m=12.0))
    source.close()
    return MapCache.open(folder / "coast.cache")


def test_chance_is_measured_where_there_is_structure(coast):
    east = Chance(coast)._centres_m[:, 0]
    assert len(east) == PLACES
    assert len(np.unique(east)) > 3
    west, _, far_east, _ = coast.manifest.bounds_m
    shore_m = west + SHORE * (far_east - west) + coast.manifest.tile_size_m / 2
    assert (east < shore_m).mean() > 0.9


def test_a_map_with_fewer_tiles_or_no_structure_has_places_too(coast, monkeypatch):
    monkeypatch.setattr("mift_ros.localization.chance.POOL", 5)
    assert len(Chance(coast)._centres_m) == 5
    monkeypatch.setattr("mift_ros.localization.chance.map_window", lambda *_: np.zeros((24, 24), np.uint8))
    assert np.isfinite(Chance(coast)._centres_m).all()


def test_an_embedding_that_is_no_number_ends_one_frame_and_no_more(town, monkeypatch):
    localizer = Localizer(town.cache, town.embedder, LocalizerConfig())
    frame, telemetry = town.shoot(-60.0, 40.0, 30.0)
    with monkeypatch.context() as broken:
        broken.setattr(type(town.embedder), "embed", lambda self, images: np.full((len(images), 256), np.nan))
        result = localizer.locate(frame, telemetry)
    assert isinstance(result, Rejection)
    assert (result.reason, result.detail) == (Reason.BAD_IMAGE, "the model's embedding of the image is not a number")
    frame, telemetry = town.shoot(-60.0, 40.0, 30.0, stamp_s=2.0)
    assert not isinstance(localizer.locate(frame, telemetry), Rejection)


def test_a_map_with_an_embedding_that_is_no_number_is_not_flown(town, coast):
    coast.embeddings = np.array(coast.embeddings)
    coast.embeddings[7, 3] = np.nan
    with pytest.raises(CacheError, match="holds embeddings that are not numbers"):
        Localizer(coast, town.embedder, LocalizerConfig())
