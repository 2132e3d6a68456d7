"""The town: seeded, distinctive, and written where it is said to be."""

import numpy as np
import pytest

from mift_ros.errors import SimulationError
from mift_ros.maps.open import open_map
from mift_ros.simulation.geotiff import TOWN_LAT_DEG, TOWN_LON_DEG, write_geotiff, write_world
from mift_ros.simulation.landuse import UNIVERSITY
from mift_ros.simulation.world import make_town


@pytest.fixture(scope="module")
def town():
    return make_town(seed=5, size_m=300.0, gsd_m=0.5)


def test_same_seed_same_town_other_seed_other_town(town):
    again, other = make_town(5, 300.0, 0.5), make_town(6, 300.0, 0.5)
    assert np.array_equal(town.map_rgb, again.map_rgb)
    assert np.array_equal(town.camera_rgb, again.camera_rgb)
    assert np.abs(town.map_rgb.astype(int) - other.map_rgb).mean() > 10


def test_looks_differ_and_share_their_ground(town):
    assert town.map_rgb.shape == town.camera_rgb.shape == (600, 600, 3)
    assert np.abs(town.map_rgb.astype(int) - town.camera_rgb).mean() > 8
    grey = [rgb.mean(axis=2).ravel() for rgb in (town.map_rgb, town.camera_rgb)]
    assert np.corrcoef(*grey)[0, 1] > 0.3


def test_surface_stands_on_relief(town):
    above = town.surface_m - town.terrain_m
    assert above.min() >= -0.01
    assert 4.0 < above.max() < 40.0
    assert 5.0 < np.ptp(town.terrain_m) < 120.0


@pytest.mark.parametrize(("size_m", "gsd_m"), [(50.0, 0.5), (9000.0, 0.5), (400.0, 0.01), (4000.0, 0.1)])
def test_impossible_sizes_are_refused(size_m, gsd_m):
    with pytest.raises(SimulationError, match="no town of"):
        make_town(0, size_m, gsd_m)


def test_written_world_lies_at_its_place(town, tmp_path):
    files = write_world(town, tmp_path / "town")
    source = open_map(files.map)
    west, south, east, north = source.bounds
    assert ((south + north) / 2, (west + east) / 2) == pytest.approx((TOWN_LAT_DEG, TOWN_LON_DEG), abs=1e-5)
    assert source.gsd_m == pytest.approx(0.5, rel=2e-3)
    source.close()
    assert sorted(p.name for p in (tmp_path / "town").iterdir()) == ["heights.tif", "look.tif", "map.tif"]


def test_no_utm_at_the_pole(town, tmp_path):
    with pytest.raises(SimulationError, match="no UTM zone"):
        write_geotiff(town.map_rgb, tmp_path / "pole.tif", 89.0, 0.0, 0.5)


def test_a_campus_has_joined_wings_and_towers_and_knows_whose_roof_is_where():
    campus = make_town(5, 400.0, 0.5, UNIVERSITY)
    wings = [b for b in campus.buildings if b.length_m * b.width_m > 150.0]
    assert len(wings) > 10 and max(b.eaves_m for b in wings) > 14.0
    above = campus.surface_m - campus.terrain_m
    assert (above[campus.building > 0] > 2.0).all()
    rows, cols = np.nonzero(campus.building)
    owners = [campus.buildings[k - 1] for k in campus.building[rows, cols][::50]]
    places = np.column_stack([cols + 0.5, 800 - rows - 0.5])[::50] * 0.5
    assert all(np.linalg.norm(p - b.centre) <= np.hypot(b.length_m, b.width_m) / 2 for p, b in zip(places, owners))
