"""The synthetic set: its flight, its walls, its folders, and going on after an interruption."""

import json
import os
import shutil
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from mift_ros.errors import TrainingError
from mift_ros.geometry.frames import LocalFrame
from mift_ros.simulation.buildings import Building, Roof
from mift_ros.simulation.lighting import Sun
from mift_ros.simulation.scene import Raster, Scene
from mift_ros.simulation.world import World
from training.data.multiview.layout import open_dataset
from training.data.synthetic.facades import Facades
from training.data.synthetic.generate import synthesize
from training.data.synthetic.manifest import read_positions
from training.data.synthetic.sensor import DRONE, SATELLITE, Sensor
from training.data.synthetic.spec import QUICK, Role, SetSpec, plan_towns
from training.data.synthetic.spiral import pose, spiral
from training.data.synthetic.towns import TOWN_M, town_frame
from training.data_commands import data_app

SMALL = SetSpec(train=2, test=2, distractors=1, views=3, size_px=48, seed=4)


@pytest.fixture(scope="module")
def small_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sets") / "small"
    assert synthesize(root, SMALL) == SMALL.images == 5 * 4
    return root


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_the_spiral_comes_down_from_256_to_121_5_m_in_three_rounds():
    views = spiral(54, 30.0)
    assert (views[0].height_agl_m, views[-1].height_agl_m) == (256.0, 121.5)
    assert [round(view.bearing_deg) for view in (views[0], views[9], views[18], views[36])] == [30, 210, 30, 30]
    assert views[0].off_nadir_deg == pytest.approx(25.4, abs=0.05)
    assert views[-1].off_nadir_deg == pytest.approx(45.0)


@pytest.mark.parametrize("bearing", range(0, 3))
def test_the_camera_looks_at_the_building(bearing):
    viewpoint, building = spiral(3, 77.0)[bearing], np.array([40.0, -25.0, 103.0])
    position, enu_from_body = pose(viewpoint, building, np.zeros(3))
    assert position[2] == 103.0 + viewpoint.height_agl_m
    assert np.hypot(*(position - building)[:2]) == pytest.approx(121.5)
    axis = enu_from_body @ [0.0, 0.0, -1.0]
    assert axis == pytest.approx((building - position) / np.linalg.norm(building - position))
    top_of_image = enu_from_body @ [1.0, 0.0, 0.0]
    assert top_of_image[2] > 0.0  # upright: what is farther away is higher in the image


def test_training_and_test_towns_are_others_and_distractors_stand_among_the_buildings_to_find():
    towns = plan_towns(QUICK)
    roles = [{c.role for c in town.classes} for town in towns]
    assert all(r == {Role.TRAIN} or Role.TRAIN not in r for r in roles)
    assert sum(r == {Role.TEST, Role.DISTRACTOR} for r in roles) > 1
    named = [c for town in towns for c in town.classes]
    assert len({c.name for c in named}) == len(named) == QUICK.classes
    assert Counter(c.role for c in named) == {Role.TRAIN: 100, Role.TEST: 60, Role.DISTRACTOR: 20}
    apart = [town_frame(0).to_local(f.origin_lat_deg, f.origin_lon_deg) for f in map(town_frame, range(1, 80))]
    assert min(np.linalg.norm(apart, axis=1)) > 3000.0 + TOWN_M


def one_house(side: int = 200) -> tuple[World, Scene]:
    """A flat-roofed house of 40 x 20 x 12 m in the middle of 200 m of level green ground, 1 m per pixel."""
    green = np.full((side, side, 3), (60, 140, 60), np.uint8)
    building = np.zeros((side, side), np.uint16)
    building[90:110, 80:120] = 1
    terrain = np.zeros((side, side), np.float32)
    surface = (12.0 * building).astype(np.float32)
    house = Building(np.array([100.0, 100.0]), 0.0, 40.0, 20.0, 12.0, Roof.FLAT)
    world = World(green, green, surface, terrain, 1.0, building, (house,))
    return world, Scene(LocalFrame(45.0, 7.0), *(Raster(p, -100.0, 100.0, 1.0) for p in (green, surface, terrain)))


def test_a_wall_is_painted_with_storeys_and_windows_and_nothing_else_is():
    world, scene = one_house()
    facades = Facades(world, scene, Sun(180.0, 45.0, 0.5, 0.5), np.random.default_rng(0))
    east, height = np.meshgrid(np.arange(-30.0, 30.5, 0.5), np.arange(0.5, 11.0, 0.5))
    on_south_wall = np.stack([east, np.full_like(east, -10.2), height], axis=-1)
    on_lawn = np.stack([east, -40.0 - height, np.zeros_like(east)], axis=-1)
    points = np.concatenate([on_south_wall, on_lawn])
    green = np.full((*points.shape[:2], 3), (60, 140, 60), np.uint8)
    painted = facades.paint(green, points, np.array([0.0, -120.0, 120.0]), 0.5)
    changed = (painted != green).any(axis=-1)
    wall = np.abs(east) < 19.0
    assert changed[: len(east)][wall].all() and not changed[: len(east)][np.abs(east) > 21.0].any()
    assert not changed[len(east) :].any()
    brightness = painted[: len(east)][wall].sum(axis=-1)
    assert np.ptp(brightness) > 100  # glass beside wall


@pytest.mark.parametrize("spread", [SATELLITE, DRONE])
def test_a_sensor_keeps_the_ground_and_changes_its_look(spread):
    ground = np.kron(np.random.default_rng(0).integers(40, 200, (8, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    first, second = (
        Sensor.random(spread, np.random.default_rng(s)).expose(ground, np.random.default_rng(s)) for s in (1, 2)
    )
    assert first.shape == ground.shape and first.dtype == np.uint8
    assert np.abs(first.astype(int) - second).mean() > 4
    assert np.corrcoef(first.mean(axis=-1).ravel(), ground.mean(axis=-1).ravel())[0, 1] > 0.7


def test_the_set_is_one_of_the_known_layouts_and_has_the_counts_that_were_asked_for(small_set):
    found = open_dataset(small_set)
    training = found.training_classes()
    assert [(c.label, len(c.satellite), len(c.drone)) for c in training] == [(0, 1, 3), (1, 1, 3)]
    drone_to_satellite, satellite_to_drone = found.tasks()
    assert [len(s) for s in (drone_to_satellite.queries, drone_to_satellite.gallery)] == [2 * 3, 3]
    assert [len(s) for s in (satellite_to_drone.queries, satellite_to_drone.gallery)] == [2, 3 * 3]
    assert sorted(set(drone_to_satellite.gallery.labels)) == [2, 3, 4]
    assert sorted(set(drone_to_satellite.queries.labels)) == [2, 3]
    assert json.loads((small_set / "set.json").read_text())["seed"] == 4
    assert not (small_set / ".partial").exists()


def test_images_are_of_the_size_and_no_two_views_are_the_same(small_set):
    for folder in (small_set / "train/drone/0000", small_set / "test/gallery_satellite"):
        images = [cv2.imread(str(path)) for path in sorted(folder.rglob("*.jp*g"))]
        assert len(images) == 3 and all(image.shape == (48, 48, 3) for image in images)
        assert all(image.std() > 8 for image in images)
        assert np.abs(images[0].astype(int) - images[1]).mean() > 5


def test_queries_are_the_gallery_s_own_files_as_in_university_1652(small_set):
    query, gallery = (contents(small_set / "test" / f"{kind}_drone" / "0002") for kind in ("query", "gallery"))
    assert query == gallery and len(query) == 3


def test_buildings_stand_apart_and_test_buildings_kilometres_from_training_ones(small_set):
    rows = read_positions(small_set)
    frame = town_frame(0)
    at = {name: frame.to_local(row.latitude_deg, row.longitude_deg) for name, row in rows.items()}
    assert [row.split for _, row in sorted(rows.items())] == ["train", "train", "test", "test", "test"]
    for a in at:
        for b in at:
            apart = np.linalg.norm(at[a] - at[b])
            assert a == b or apart > (20.0 if rows[a].split == rows[b].split else 2500.0)
    assert set(open_dataset(small_set).positions("train")) == {0, 1}


def test_a_complete_set_is_left_alone_and_what_is_missing_is_rendered_to_the_same_bytes(small_set, tmp_path):
    root = tmp_path / "set"
    shutil.copytree(small_set, root)
    before = contents(root)
    assert synthesize(root, SMALL) == 0
    shutil.rmtree(root / "test/query_drone/0003")  # the query alone
    os.remove(root / "train/drone/0001/image-02.jpeg")  # not all images there
    shutil.rmtree(root / "train/satellite/0000")
    (root / ".partial/0001-drone").mkdir(parents=True)  # killed while writing
    assert synthesize(root, SMALL) == 3 + 3 + 1
    assert contents(root) == before


def test_another_set_is_not_mixed_into_this_one(small_set, tmp_path):
    with pytest.raises(TrainingError, match=r"holds another set \(seed 4 instead of 5\)"):
        synthesize(small_set, SetSpec(2, 2, 1, 3, 48, seed=5))
    (tmp_path / "thesis.odt").touch()
    with pytest.raises(TrainingError, match="is not empty and no set"):
        synthesize(tmp_path, SMALL)
    (tmp_path / "set.json").write_text("{")
    with pytest.raises(TrainingError, match="cannot be used"):
        synthesize(tmp_path, SMALL)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--train", "0"], "at least 1"),
        (["--test", "0"], "at least 1"),
        (["--distractors", "-1"], "at least 1, 1 and 0"),
        (["--train", "9999"], "9999 at most"),
        (["--views", "0"], "0 drone views"),
        (["--size", "8"], "8 px"),
        (["--seed", "-3"], "seed -3"),
    ],
)
def test_impossible_sets_are_refused_before_anything_is_written(tmp_path, options, message):
    result = CliRunner().invoke(data_app, ["synthesize", str(tmp_path / "set"), *options])
    assert isinstance(result.exception, TrainingError) and message in str(result.exception)
    assert not (tmp_path / "set").exists()
