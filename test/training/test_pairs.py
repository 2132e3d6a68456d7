"""Rendered pairs: the same ground on both sides, the same bytes for the same arguments, batches with both."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from typer.testing import CliRunner

from mift_ros.errors import TrainingError
from mift_ros.geometry.frames import LocalFrame
from mift_ros.simulation.buildings import Building, Roof
from mift_ros.simulation.disturbances import Disturbances
from mift_ros.simulation.lighting import Sun
from mift_ros.simulation.scene import Raster, Scene
from mift_ros.simulation.sky import Sky
from mift_ros.simulation.world import World
from training.data.batch import Share
from training.data.orthophotos.batches import OrthophotoBatches, held_out_rendered
from training.data.orthophotos.imagery import load_imagery
from training.data.orthophotos.places import PlaceSampler, near
from training.data.pairs.flights import View, draw_view
from training.data.pairs.ground import load_worlds
from training.data.pairs.render import render_pairs
from training.data.pairs.shard import Pair, Shard, decode, encode, read_shard, write_shard
from training.data.pairs.spec import PairsSpec
from training.data.pairs.views import MapSight, drone_tile, map_tile
from training.data.pairs.worlds import Look, PairWorld
from training.data.synthetic.facades import Facades
from training.data.synthetic.sensor import Sensor, Spread
from training.data_commands import data_app
from training.loop.training_data import open_training_data
from training.model.build import build_network
from training.recipes.data_schema import AppearanceSpec, Changes, GeometrySpec, SourceSpec
from training.recipes.reader import parse_recipe
from training.recipes.schema import Recipe

Image = npt.NDArray[np.uint8]

PERFECT = Sensor(np.eye(3), 1.0, 0.0, 0.3, 0.0, Spread(0, 0, 0, 0, 0, 0, (0.3, 0.3), 0, 0, 0))
STRAIGHT_DOWN = MapSight(np.zeros(2), PERFECT)
HALF_M, GSD_M = 200.0, 0.5
RED_M = np.array([17.0, -26.0])


def world_of(rgb: Image, tower_m: float = 0.0, slope: float = 0.0) -> PairWorld:
    """Ground of 400 m that rises to the east by slope, and a tower of 12 x 12 m whose middle is RED_M."""
    side = len(rgb)
    at = (np.arange(side) + 0.5) * GSD_M - HALF_M
    east, north = np.meshgrid(at, at[::-1])
    terrain = (100.0 + slope * east).astype(np.float32)
    on_tower = (abs(east - RED_M[0]) < 6.0) & (abs(north - RED_M[1]) < 6.0)
    surface = terrain + np.float32(tower_m) * on_tower
    tower = Building(RED_M + HALF_M, 0.0, 12.0, 12.0, tower_m, Roof.FLAT)
    world = World(rgb, rgb, surface, terrain, GSD_M, on_tower.astype(np.uint16), (tower,))
    scene = Scene(LocalFrame(45.0, -5.0), *(Raster(p, -HALF_M, HALF_M, GSD_M) for p in (rgb, surface, terrain)))
    look = Look(scene, Facades(world, scene, Sun(180.0, 45.0), np.random.default_rng(0)))
    return PairWorld(look, look, Sky(np.random.default_rng(0)), Disturbances())


def red_spot() -> Image:
    """Green ground with a red square of 12 m around RED_M."""
    rgb = np.full((800, 800, 3), (60, 140, 60), np.uint8)
    at = (np.arange(800) + 0.5) * GSD_M - HALF_M
    spot = np.ix_(abs(at[::-1] - RED_M[1]) < 6.0, abs(at - RED_M[0]) < 6.0)
    rgb[spot] = (220, 30, 30)
    return rgb


def patterned() -> Image:
    """Blotches of all sizes."""
    noise = np.random.default_rng(3).standard_normal((800, 800, 3)).astype(np.float32)
    field = sum(s * cv2.GaussianBlur(noise, (0, 0), s) for s in (2.0, 6.0, 20.0))
    return np.asarray(np.clip(128 + 120 * np.asarray(field), 0, 255), np.uint8)


def true_view(world: PairWorld, centre_m: npt.NDArray[np.float64], side_m: float, seed: int) -> View:
    """A view of which the vehicle believes the truth."""
    view = draw_view(world.drone.scene, centre_m, side_m, 96, np.random.default_rng(seed))
    roll, pitch = _roll_pitch(view)
    believed = np.array([roll, pitch, view.heading_deg])
    return view._replace(believed_rpy_deg=believed, believed_height_m=float(view.position_m[2] - 100.0))


def _roll_pitch(view: View) -> tuple[float, float]:
    """Degrees, of a rotation that is yaw, then pitch, then roll."""
    r = view.enu_from_body
    return math.degrees(math.atan2(r[2, 1], r[2, 2])), math.degrees(math.asin(-r[2, 0]))


def found_m(tile: Image, centre_m: npt.NDArray[np.float64], side_m: float) -> npt.NDArray[np.float64]:
    """East and north of the middle of what is red in a tile."""
    rows, cols = np.nonzero(tile[..., 0].astype(int) - tile[..., 1] > 80)
    middle, gsd_m = (len(tile) - 1) / 2, side_m / len(tile)
    return centre_m + gsd_m * np.array([cols.mean() - middle, middle - rows.mean()])


@pytest.mark.parametrize("seed", range(6))
def test_a_landmark_on_level_ground_lies_at_its_place_in_both_images(seed: int) -> None:
    world, centre_m, side_m = world_of(red_spot()), np.array([25.0, -15.0]), 90.0
    rng = np.random.default_rng(seed)
    drone, coverage = drone_tile(world, true_view(world, centre_m, side_m, seed), centre_m, side_m, 96, rng)
    tile = map_tile(world.map, STRAIGHT_DOWN, centre_m, side_m, 96, rng)
    assert coverage > 0.5
    assert found_m(tile, centre_m, side_m) == pytest.approx(RED_M, abs=0.3)
    assert found_m(drone, centre_m, side_m) == pytest.approx(RED_M, abs=0.8)


def test_what_stands_up_leans_in_a_map_by_its_height_and_away_from_the_eye_of_the_drone() -> None:
    world, centre_m, side_m = world_of(red_spot(), tower_m=20.0), np.array([10.0, -10.0]), 100.0
    rng = np.random.default_rng(0)
    lean = np.array([0.3, -0.1])
    tile = map_tile(world.map, MapSight(lean, PERFECT), centre_m, side_m, 200, rng)
    assert found_m(tile, centre_m, side_m) - RED_M == pytest.approx(20.0 * lean, abs=1.0)
    view = true_view(world, centre_m, side_m, 1)
    drone, _ = drone_tile(world, view, centre_m, side_m, 200, rng)
    height_m = view.position_m[2] - 100.0
    away_m = (RED_M - view.position_m[:2]) * 20.0 / (height_m - 20.0)
    assert found_m(drone, centre_m, side_m) - RED_M == pytest.approx(away_m, abs=1.5)


def test_a_map_of_sloping_ground_is_rectified_to_it() -> None:
    world, centre_m = world_of(red_spot(), slope=0.2), RED_M + 2.5
    tile = map_tile(world.map, MapSight(np.array([0.3, 0.0]), PERFECT), centre_m, 60.0, 120, np.random.default_rng(0))
    assert found_m(tile, centre_m, 60.0) == pytest.approx(RED_M, abs=0.5)


@pytest.mark.parametrize("seed", range(3))
def test_on_flat_ground_seen_truly_both_images_agree_best_without_a_shift(seed: int) -> None:
    world, centre_m = world_of(patterned()), np.array([12.0, 30.0])
    rng = np.random.default_rng(seed)
    tile = map_tile(world.map, STRAIGHT_DOWN, centre_m, 90.0, 96, rng).mean(axis=-1)
    drone, _ = drone_tile(world, true_view(world, centre_m, 90.0, seed), centre_m, 90.0, 96, rng)
    middle = drone.mean(axis=-1)[24:72, 24:72].astype(np.float32)
    score = cv2.matchTemplate(tile.astype(np.float32), middle, cv2.TM_CCOEFF_NORMED)
    row, col = np.unravel_index(score.argmax(), score.shape)
    assert abs(row - 24) <= 1 and abs(col - 24) <= 1 and score.max() > 0.9


def test_what_the_vehicle_believes_is_wrong_by_a_little() -> None:
    scene = world_of(patterned()).drone.scene
    views = [draw_view(scene, np.zeros(2), 80.0, 96, np.random.default_rng(seed)) for seed in range(300)]
    heights = np.array([view.position_m[2] - 100.0 for view in views])
    tilts = np.degrees([math.acos(view.enu_from_body[2, 2]) for view in views])
    turns = np.array([view.believed_rpy_deg[2] - view.heading_deg for view in views])
    scales = np.array([view.believed_height_m for view in views]) / heights
    assert 60.0 <= heights.min() < 70.0 and 140.0 < heights.max() <= 150.0
    assert 15.0 < tilts.max() < 26.0 and 0.05 < (tilts > 15.1).mean() < 0.2
    assert 7.0 < abs(turns).max() <= 8.0 and abs(turns.mean()) < 1.0
    assert 1.08 < scales.max() <= 1.1001 and 0.909 <= scales.min() < 0.93


SPEC = PairsSpec(places=3, per_world=2, size_px=64, seed=5)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pairs") / "set"
    assert render_pairs(root, SPEC, processes=1) == 3
    return root


def contents(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(root.iterdir())}


def test_every_world_is_a_shard_and_tells_where_its_pairs_lie(rendered: Path) -> None:
    assert sorted(contents(rendered)) == ["0000-city.safetensors", "0001-village.safetensors", "set.json"]
    city, village = (read_shard(rendered / world.file_name) for world in SPEC.worlds())
    assert (len(city.pairs), len(village.pairs)) == (2, 1)
    assert (city.made["world"], city.made["kind"], city.made["seed"]) == (0, "city", 5)
    for pair in (*city.pairs, *village.pairs):
        assert max(map(abs, pair.centre_m)) + 0.7 * pair.side_m <= 450.0
        assert 70.0 <= pair.side_m <= 165.0
        images = [decode(jpeg, "pair") for jpeg in (pair.map_jpeg, pair.drone_jpeg)]
        assert all(image.shape == (64, 64, 3) and image.std() > 5 for image in images)
        assert np.abs(images[0].astype(int) - images[1]).mean() > 5


def test_an_interrupted_set_goes_on_to_the_same_bytes(rendered: Path) -> None:
    before = contents(rendered)
    assert render_pairs(rendered, SPEC, processes=1) == 0
    (rendered / "0001-village.safetensors").write_bytes(before["0001-village.safetensors"][:-100])
    assert render_pairs(rendered, SPEC, processes=1) == 1
    assert contents(rendered) == before


def test_a_set_grows_by_what_it_lacks(rendered: Path, tmp_path: Path) -> None:
    grown = tmp_path / "grown"
    assert render_pairs(grown, replace(SPEC, places=2), processes=1) == 2
    assert render_pairs(grown, SPEC, processes=1) == 1
    assert contents(grown) == contents(rendered)


def test_another_set_is_not_mixed_into_this_one(rendered: Path) -> None:
    with pytest.raises(TrainingError, match=r"holds another set \(seed 5 instead of 6\)"):
        render_pairs(rendered, replace(SPEC, seed=6))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--places", "0"], "0 places"),
        (["--per-world", "0"], "0 places of each world"),
        (["--size", "8"], "8 px"),
        (["--seed", "-1"], "seed -1"),
    ],
)
def test_impossible_sets_are_refused_before_anything_is_written(
    tmp_path: Path, options: list[str], message: str
) -> None:
    result = CliRunner().invoke(data_app, ["pairs", str(tmp_path / "set"), *options])
    assert isinstance(result.exception, TrainingError) and message in str(result.exception)
    assert not (tmp_path / "set").exists()


def test_kinds_of_world_take_turns_and_the_last_world_has_the_rest() -> None:
    worlds = PairsSpec(places=25, per_world=2).worlds()
    assert [world.places for world in worlds] == [2] * 12 + [1]
    assert worlds[0].kind == worlds[10].kind != worlds[1].kind
    assert len({world.file_name for world in worlds}) == 13


def test_a_damaged_shard_is_one_clear_line(rendered: Path, tmp_path: Path) -> None:
    good = (rendered / "0000-city.safetensors").read_bytes()
    for name, data in (("short", good[:-9]), ("text", b"no shard"), ("empty", b"")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(TrainingError, match=f"{name}: no shard of pairs, or damaged"):
            read_shard(tmp_path / name)
    with pytest.raises(TrainingError, match="none: no shard"):
        read_shard(tmp_path / "none")
    with pytest.raises(TrainingError, match=r"a\.safetensors: the image cannot be read"):
        decode(np.zeros(9, np.uint8), "a.safetensors")


RED, BLUE = (200, 20, 20), (20, 20, 200)


def coloured_shard(path: Path, seed: int, pairs: int = 30) -> None:
    """Pairs of 64 px and 100 m in a square of 800 m; the map is red, the drone image blue."""
    red, blue = (encode(np.full((64, 64, 3), rgb, np.uint8)) for rgb in (RED, BLUE))
    centres = np.random.default_rng(seed).uniform(-400.0, 400.0, (pairs, 2)).tolist()
    write_shard(path, Shard({}, tuple(Pair((c[0], c[1]), 100.0, red, blue) for c in centres)))


@pytest.fixture
def data(textures: Path, tmp_path: Path) -> Path:
    """The textures and four worlds of coloured pairs below one folder."""
    (tmp_path / "textures").symlink_to(textures)
    (tmp_path / "pairs").mkdir()
    for number in range(4):
        coloured_shard(tmp_path / "pairs" / f"{number}.safetensors", number)
    return tmp_path


def mixed_recipe(tiny: Recipe, **source: Any) -> Recipe:
    """The tiny recipe with a source of pairs beside its images; the first world is held out."""
    raw = tiny.to_dict()
    images = raw["data"]["orthophotos"]["sources"]
    images = [{**s, "images": f"textures/{s['images']}", "share": 0.5} for s in images]
    pairs = {"pairs": "pairs/*.safetensors", "share": 0.5, "hold_out_every": 4, "appearance": 0.0, **source}
    raw["data"]["orthophotos"]["sources"] = [*images, pairs]
    raw["data"]["orthophotos"]["views"]["side_m"] = [30.0, 90.0]
    return parse_recipe({**raw, "batch": {"classes": 16}}, "mixed.yaml")


def batches_of(recipe: Recipe, data: Path) -> OrthophotoBatches:
    assert recipe.data.orthophotos is not None
    sources = recipe.data.orthophotos.sources
    return OrthophotoBatches([*load_imagery(data, sources, 0.3), *load_worlds(data, sources)], recipe, 32, Share())


def rendered_rows(views: torch.Tensor, rgb: tuple[int, int, int]) -> npt.NDArray[np.bool_]:
    """Which of the views [N, S, S, 3] show nothing but a colour, as JPEG keeps it."""
    far = abs(views.numpy().astype(int) - np.array(rgb)).max(axis=(1, 2, 3))
    return np.asarray(far < 12)


def test_a_batch_mixes_real_places_and_rendered_pairs_by_their_shares(tiny_recipe: Recipe, data: Path) -> None:
    source, counts = batches_of(mixed_recipe(tiny_recipe), data), []
    for step in range(20):
        batch = source[step]
        is_map, is_drone = rendered_rows(batch.satellite, RED), rendered_rows(batch.drone, BLUE)
        np.testing.assert_array_equal(is_map, is_drone)
        counts.append(int(is_map.sum()))
    assert min(counts) > 0 and max(counts) < 16 and 6.0 < np.mean(counts) < 10.0


def test_a_mixed_batch_is_a_function_of_seed_and_step(tiny_recipe: Recipe, data: Path) -> None:
    first, again = (
        batches_of(mixed_recipe(tiny_recipe, appearance=0.5), data),
        batches_of(mixed_recipe(tiny_recipe, appearance=0.5), data),
    )
    first[0]
    for mine, other in zip(first[3], again[3], strict=True):
        assert torch.equal(mine, other)
    assert not torch.equal(first[3].drone, first[4].drone)


def test_places_of_one_world_that_overlap_never_share_a_batch(tiny_recipe: Recipe, data: Path) -> None:
    worlds = load_worlds(data, (SourceSpec(pairs="pairs/*.safetensors"),))[:2]
    sampler = PlaceSampler(worlds, [1.0], (30.0, 90.0), 16.0)
    for seed in range(20):
        places = sampler.batch(12, np.random.default_rng(seed))
        for i, a in enumerate(places):
            assert not any(a.image == b.image and near(a, b) for b in places[i + 1 :])


def test_places_lie_inside_their_pair_at_any_angle_and_both_images_are_cut_alike(data: Path) -> None:
    world = load_worlds(data, (SourceSpec(pairs="pairs/*.safetensors"),))[1]
    for seed in range(200):
        place = world.draw(0, (30.0, 90.0), 16.0, np.random.default_rng(seed))
        assert place is not None
        sides = world.sides(place)
        assert 69.9 <= place.side_m <= 90.0
        reach_m = place.side_m / 2 * (abs(math.cos(place.turn_rad)) + abs(math.sin(place.turn_rad)))
        for centre in (sides.place.x_m, sides.place.y_m):
            assert reach_m <= centre + 1e-9 and centre + reach_m <= 100.0 + 1e-9
        assert sides.map.size_m == sides.drone.size_m == (100.0, 100.0)
        east_m, north_m = world.pairs[place.pair].centre_m
        assert (place.x_m - sides.place.x_m, place.y_m - sides.place.y_m) == pytest.approx((east_m - 50, -north_m - 50))


def test_a_source_softens_the_changes_of_its_own_places_alone(tiny_recipe: Recipe) -> None:
    spec = mixed_recipe(tiny_recipe, appearance=0.5, geometry=0.25).data.orthophotos
    assert spec is not None
    assert spec.changes(0) == Changes(AppearanceSpec(), AppearanceSpec(), GeometrySpec())
    half = AppearanceSpec().softened(0.5)
    assert spec.changes(2) == Changes(half, half, GeometrySpec().softened(0.25))
    assert spec.changes(2).geometry.turn_deg == 2.5
    assert spec.changes(2, factor=0.5).map == AppearanceSpec().softened(0.25)


def test_held_out_worlds_are_evaluated_apart_from_held_out_images(tiny_recipe: Recipe, data: Path) -> None:
    recipe = mixed_recipe(tiny_recipe)
    worlds = load_worlds(data, recipe.data.orthophotos.sources)  # type: ignore[union-attr]
    assert [world.held_out for world in worlds] == [True, False, False, False]
    gallery, queries = held_out_rendered(worlds, recipe, 32)
    assert len(gallery) == 12 and rendered_rows(gallery, RED).all() and rendered_rows(queries, BLUE).all()
    places = worlds[0].apart(0)
    assert not any(near(a, b) for i, a in enumerate(places) for b in places[i + 1 :])
    evaluation = open_training_data(recipe, data, 64, Share()).evaluation
    assert evaluation is not None
    found = evaluation(build_network("tiny"))
    assert sorted(found) == ["recall_1", "recall_5", "rendered_recall_1", "rendered_recall_5"]
    assert all(0.0 <= value <= 1.0 for value in found.values())


def test_a_pattern_without_shards_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no shard matches 'x\*'; make some with 'mift train data pairs'"):
        load_worlds(tmp_path, (SourceSpec(pairs="x*"),))
