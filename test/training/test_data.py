"""Imagery, places and views: true scales, distinct places, deterministic pairs that show the same ground."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import rasterio
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mift_ros.errors import TrainingError
from training.data.batch import Share
from training.data.orthophotos.batches import OrthophotoBatches, held_out_pairs
from training.data.orthophotos.imagery import Imagery, load_imagery
from training.data.orthophotos.places import Place, PlaceSampler, grid_places, overlap
from training.data.orthophotos.views import dress, drone_view, map_view, random_distortion
from training.data.orthophotos.warp import Distortion, render
from training.recipes.data_schema import AppearanceSpec, GeometrySpec, OrthophotosSpec, SourceSpec
from training.recipes.schema import BatchSpec, Recipe

PLAIN = AppearanceSpec().softened(0.0)


def orthophotos(recipe: Recipe) -> OrthophotosSpec:
    assert recipe.data.orthophotos is not None
    return recipe.data.orthophotos


def flat_image(pixels: npt.NDArray[np.uint8], gsd_m: float = 1.0, name: str = "a") -> Imagery:
    valid = np.ones((max(pixels.shape[0] // 16, 1), max(pixels.shape[1] // 16, 1)), np.bool_)
    return Imagery(name, (pixels,), gsd_m, valid, 0, name, False)


def noise_image(size: int, seed: int = 0, name: str = "a") -> Imagery:
    return flat_image(np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8), name=name)


def write_geotiff(path: Path, crs: str | None, pixel: float, origin: tuple[float, float], size: int = 64) -> None:
    transform = rasterio.transform.from_origin(*origin, pixel, pixel)
    data = np.random.default_rng(0).integers(1, 255, (3, size, size), np.uint8)
    with rasterio.open(
        path, "w", driver="GTiff", width=size, height=size, count=3, dtype="uint8", crs=crs, transform=transform
    ) as file:
        file.write(data)


def test_web_mercator_pixels_shrink_by_the_cosine_of_the_latitude(tmp_path: Path) -> None:
    north_60 = 8399737.89
    write_geotiff(tmp_path / "a.tif", "EPSG:3857", 1.0, (0.0, north_60))
    image = load_imagery(tmp_path, (SourceSpec("*.tif"),), finest_gsd_m=0.1)[0]
    assert image.gsd_m == pytest.approx(0.5, rel=0.005)


def test_fine_images_are_read_no_finer_than_asked(tmp_path: Path) -> None:
    write_geotiff(tmp_path / "a.tif", "EPSG:32633", 0.1, (500000.0, 5000000.0), size=300)
    cv2.imwrite(str(tmp_path / "b.png"), np.zeros((300, 200, 3), np.uint8))
    tiff, png = load_imagery(tmp_path, (SourceSpec("*.tif"), SourceSpec("*.png", gsd_m=0.1)), finest_gsd_m=0.3)
    assert tiff.pyramid[0].shape == (100, 100, 3) and tiff.size_m == pytest.approx((30.0, 30.0), rel=1e-3)
    assert png.pyramid[0].shape == (100, 67, 3) and png.gsd_m == pytest.approx(0.3)


def test_every_level_of_the_pyramid_is_half_of_the_one_before(textures: Path) -> None:
    image = load_imagery(textures, (SourceSpec("0.png", gsd_m=0.5),), 0.3)[0]
    assert [level.shape for level in image.pyramid] == [(400, 400, 3), (200, 200, 3)]


def test_bad_data_is_one_clear_line(tmp_path: Path) -> None:
    sources = (SourceSpec("*.jpg", gsd_m=1.0),)
    with pytest.raises(TrainingError, match="no such data folder"):
        load_imagery(tmp_path / "nowhere", sources, 0.3)
    with pytest.raises(TrainingError, match=r"no image matches '\*\.jpg'"):
        load_imagery(tmp_path, sources, 0.3)
    (tmp_path / "broken.jpg").write_bytes(b"not an image")
    with pytest.raises(TrainingError, match=r"broken\.jpg: the image cannot be read"):
        load_imagery(tmp_path, sources, 0.3)
    (tmp_path / "broken.tif").write_bytes(b"II*\0 not a tiff")
    with pytest.raises(TrainingError, match=r"broken\.tif: the GeoTIFF cannot be read"):
        load_imagery(tmp_path, (SourceSpec("*.tif"),), 0.3)
    write_geotiff(tmp_path / "nocrs.tif", None, 1.0, (0.0, 0.0))
    with pytest.raises(TrainingError, match="no CRS"):
        load_imagery(tmp_path, (SourceSpec("nocrs.tif"),), 0.3)
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(TrainingError, match="carries no scale"):
        load_imagery(tmp_path, (SourceSpec("*.png"),), 0.3)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), count=st.integers(2, 40))
def test_no_two_places_of_a_batch_overlap(seed: int, count: int) -> None:
    images = [
        noise_image(600),
        replace(noise_image(300, name="b"), domain="shared"),
        replace(noise_image(300, name="c"), domain="shared"),
    ]
    places = PlaceSampler(images, [1.0], (20.0, 40.0), 8.0).batch(count, np.random.default_rng(seed))
    assert len(places) == count
    for i, a in enumerate(places):
        width_m, height_m = images[a.image].size_m
        assert a.side_m / 2 <= a.x_m <= width_m - a.side_m / 2 and a.side_m / 2 <= a.y_m <= height_m - a.side_m / 2
        assert not any(overlap(a, b, images) for b in places[i + 1 :])
    assert len({place.image for place in places if images[place.image].domain == "shared"}) <= 1


def test_overlap_by_hand() -> None:
    images = [noise_image(64), noise_image(64, name="b")]
    place = Place(0, 100.0, 100.0, 40.0, 0.0, False)
    assert overlap(place, replace(place, x_m=150.0), images)
    assert not overlap(place, replace(place, x_m=161.0), images)
    assert not overlap(place, replace(place, image=1), images)


def test_too_little_ground_for_a_batch_is_told() -> None:
    with pytest.raises(TrainingError, match="no room for 50 distinct places"):
        PlaceSampler([noise_image(100)], [1.0], (40.0, 40.0), 8.0).batch(50, np.random.default_rng(0))
    with pytest.raises(TrainingError, match="40 m wide"):
        PlaceSampler([noise_image(30)], [1.0], (40.0, 40.0), 8.0)


def test_places_keep_off_ground_without_data() -> None:
    image = noise_image(320)
    valid = image.valid.copy()
    valid[:, :10] = False
    places = PlaceSampler([replace(image, valid=valid)], [1.0], (30.0, 30.0), 8.0).batch(4, np.random.default_rng(0))
    assert all(place.x_m - place.side_m / 2 >= 160.0 for place in places)


def test_held_out_grid_tiles_the_image_once() -> None:
    places = grid_places([noise_image(100)], 30.0, 8.0)
    assert {(place.x_m, place.y_m) for place in places} == {(x, y) for x in (15, 45, 75) for y in (15, 45, 75)}


def test_an_undistorted_view_at_the_source_resolution_is_the_source() -> None:
    image = noise_image(64)
    view = render(image, Place(0, 32.0, 24.0, 32.0, 0.0, False), Distortion(), 32)
    np.testing.assert_array_equal(view, image.pyramid[0][8:40, 16:48])


def test_a_quarter_turn_and_a_mirror_by_hand() -> None:
    image = noise_image(64)
    place = Place(0, 32.0, 32.0, 32.0, 0.0, False)
    plain = render(image, place, Distortion(), 32).astype(int)
    turned = render(image, replace(place, turn_rad=math.pi / 2), Distortion(), 32).astype(int)
    mirrored = render(image, replace(place, mirrored=True), Distortion(), 32).astype(int)
    assert np.abs(turned - np.rot90(plain)).max() <= 1
    assert np.abs(mirrored - plain[:, ::-1]).max() <= 1


def test_a_shift_moves_the_ground_by_its_share_of_the_side() -> None:
    image = noise_image(64)
    place = Place(0, 32.0, 32.0, 32.0, 0.0, False)
    plain, moved = (render(image, place, Distortion(shift=shift), 32) for shift in ((0.0, 0.0), (0.25, 0.0)))
    np.testing.assert_array_equal(moved[:, :-8], plain[:, 8:])


@given(seed=st.integers(0, 2**31))
def test_distortions_stay_within_their_limits(seed: int) -> None:
    limits = GeometrySpec()
    distortion = random_distortion(limits, 16, np.random.default_rng(seed))
    assert max(map(abs, distortion.shift)) <= limits.shift
    assert abs(math.degrees(distortion.turn_rad)) <= limits.turn_deg
    assert 1.0 / (1.0 + limits.scale) - 1e-9 <= distortion.scale <= 1.0 + limits.scale + 1e-9


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), strength=st.floats(0.0, 1.0))
def test_views_are_images_and_repeat_with_their_seed(seed: int, strength: float) -> None:
    image, place = noise_image(200), Place(0, 100.0, 100.0, 80.0, 0.3, True)
    look = replace(AppearanceSpec(), strength=strength)
    first, again = (drone_view(image, place, GeometrySpec(), look, 64, np.random.default_rng(seed)) for _ in range(2))
    assert first.shape == (64, 64, 3) and first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)


def test_a_view_without_changes_is_the_warped_source() -> None:
    image, place = noise_image(200), Place(0, 100.0, 100.0, 80.0, 0.0, False)
    plain = render(image, place, Distortion(), 64)
    np.testing.assert_array_equal(map_view(image, place, PLAIN, 64, np.random.default_rng(0)), plain)


CHANGES = [name for name in AppearanceSpec.__dataclass_fields__ if name != "strength"]


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_has_an_effect(name: str) -> None:
    image = render(noise_image(64), Place(0, 32.0, 32.0, 16.0, 0.0, False), Distortion(), 64)
    only = replace(PLAIN, strength=1.0, **{name: 1.0})
    assert not np.array_equal(dress(image, only, np.random.default_rng(3)), image)


def test_batches_depend_on_seed_and_step_alone(textures: Path, tiny_recipe: Recipe) -> None:
    images = load_imagery(textures, orthophotos(tiny_recipe).sources, 0.3)
    batches, others = (
        OrthophotoBatches(images, tiny_recipe, 32, Share()),
        OrthophotoBatches(images, replace(tiny_recipe, seed=9), 32, Share()),
    )
    third = batches[3]
    batches[1]
    assert all(torch.equal(a, b) for a, b in zip(third, batches[3]))
    assert not torch.equal(third[0], batches[4][0]) and not torch.equal(third[0], others[3][0])
    assert all(view.shape == (8, 32, 32, 3) and view.dtype == torch.uint8 for view in third[:2])
    assert third.labels.tolist() == list(range(8))


def test_several_views_of_a_place_differ(textures: Path, tiny_recipe: Recipe) -> None:
    recipe = replace(tiny_recipe, batch=BatchSpec(classes=2, per_class=3))
    images = load_imagery(textures, orthophotos(recipe).sources, 0.3)
    batch = OrthophotoBatches(images, recipe, 32, Share())[0]
    assert batch.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert len({row.numpy().tobytes() for row in (*batch.satellite, *batch.drone)}) == 12


def test_shares_together_are_the_batch(textures: Path, tiny_recipe: Recipe) -> None:
    images = load_imagery(textures, orthophotos(tiny_recipe).sources, 0.3)
    whole = OrthophotoBatches(images, tiny_recipe, 32, Share())[2]
    halves = [OrthophotoBatches(images, tiny_recipe, 32, Share(rank, 2))[2] for rank in range(2)]
    assert all(torch.equal(torch.cat(parts), rows) for *parts, rows in zip(*halves, whole))


def test_a_pass_holds_the_same_rows_over_any_number_of_processes() -> None:
    assert Share().of(8) == Share(0, 1, 2).of(8) == list(range(8))
    assert [Share(rank, 2, 2).of(8) for rank in range(2)] == [[0, 1, 4, 5], [2, 3, 6, 7]]


def test_the_places_of_a_step_and_the_look_of_its_first_row_are_independent(
    textures: Path, tiny_recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NumPy takes [1, 2] and [1, 2, 0] for one seed."""
    seeds: list[bytes] = []
    generator = np.random.default_rng

    def noted(seed: list[int]) -> np.random.Generator:
        seeds.append(generator(seed).bytes(8))
        return generator(seed)

    images = load_imagery(textures, orthophotos(tiny_recipe).sources, 0.3)
    source = OrthophotoBatches(images, tiny_recipe, 32, Share())
    monkeypatch.setattr(np.random, "default_rng", noted)
    source[2]
    assert len(seeds) == len(set(seeds)) == 9


def test_changes_ramp_up_from_a_gentle_start(tiny_recipe: Recipe) -> None:
    views = replace(orthophotos(tiny_recipe).views, gentle_start=0.2, ramp_steps=100)
    assert [views.factor_at(step) for step in (0, 50, 100, 500)] == pytest.approx([0.2, 0.6, 1.0, 1.0])
    assert orthophotos(tiny_recipe).views.factor_at(0) == 1.0


def test_held_out_pairs_come_from_held_out_images_alone(textures: Path, tiny_recipe: Recipe) -> None:
    images = load_imagery(textures, orthophotos(tiny_recipe).sources, 0.3)
    gallery, queries = held_out_pairs(images, tiny_recipe, 32)
    assert gallery.shape == queries.shape == (12, 32, 32, 3)
    assert torch.equal(gallery, held_out_pairs(images, tiny_recipe, 32)[0])
    assert len(held_out_pairs([image for image in images if not image.held_out], tiny_recipe, 32)[0]) == 0


def test_real_imagery_of_the_shipped_recipe_loads(shared_data: Path) -> None:
    sources = (
        SourceSpec("orthomosaics/kathmandu*.tif"),
        SourceSpec("nyc_aerial/train_10*.jpg", gsd_m=0.9, hold_out_every=10),
    )
    images = load_imagery(shared_data, sources, 0.5)
    width_m, height_m = images[0].size_m
    assert (width_m, height_m) == pytest.approx((378, 438), rel=0.02)
    assert any(image.held_out for image in images) and not all(image.held_out for image in images)
