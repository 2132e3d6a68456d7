"""Eleven real drone photos against a satellite map of another source and date, with the shipped weights."""

import csv

import pytest

from mift_ros.cache.build import build_cache
from mift_ros.cache.reader import MapCache
from mift_ros.evaluation.bag import Bag
from mift_ros.evaluation.flight import Flight
from mift_ros.evaluation.metrics import summarise
from mift_ros.evaluation.replay import replay
from mift_ros.inference.load import load_embedder
from mift_ros.localization.localizer import Localizer
from mift_ros.maps.open import open_map
from mift_ros.photos.flight import PhotoPlan, find_photos, write_photos

pytestmark = pytest.mark.timeout(600)
FOCAL_PX = 1180.0


@pytest.fixture(scope="module")
def site(shared_data, tmp_path_factory):
    """The folder of the flight, the map's cache and the shipped model."""
    folder, out = shared_data / "fengyuan", tmp_path_factory.mktemp("site")
    embedder = load_embedder("mift_nano")
    source = open_map(folder / "map" / "map.json")
    build_cache(source, embedder, out / "site.cache")
    source.close()
    return folder, MapCache.open(out / "site.cache", embedder.identity), embedder


def fly(site, table, bag):
    folder, cache, embedder = site
    write_photos(find_photos(folder / "photos", table), bag, PhotoPlan(focal_px=FOCAL_PX))
    return summarise(list(replay(Flight(Bag(bag)), Localizer(cache, embedder))))


def test_photos_with_their_heading_are_fixed_to_metres(site, tmp_path):
    summary = fly(site, site[0] / "truth.csv", tmp_path / "bag")
    assert summary.frames == 11
    assert summary.fixes >= 10
    assert summary.median_m < 10.0
    assert summary.max_m < 30.0


def test_photos_with_a_false_heading_give_silence_but_for_one(site, tmp_path):
    """Where every frame is lost the gate lets one in 26 pass: one in 500 over such a map, where few are."""
    with (site[0] / "truth.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["flight_yaw_deg"] = str(float(row["flight_yaw_deg"]) + 150.0)
    with (tmp_path / "turned.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    summary = fly(site, tmp_path / "turned.csv", tmp_path / "bag")
    assert summary.fixes <= 1
