"""Recall curves on held-out places: exact errors, exact shares, a baseline that is the localizer's own score."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

torch = pytest.importorskip("torch")

from typer import Typer  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from mift_ros.errors import TrainingError  # noqa: E402
from mift_ros.localization import structure  # noqa: E402
from training.checkpoint import save_weights  # noqa: E402
from training.curve_commands import curves  # noqa: E402
from training.data.orthophotos.imagery import load_imagery  # noqa: E402
from training.data.orthophotos.warp import Distortion  # noqa: E402
from training.evaluation import conditions, orientation  # noqa: E402
from training.evaluation.conditions import Error, HeldOut, held_out, wrong_by  # noqa: E402
from training.evaluation.curves import own_ranks, recall_among  # noqa: E402
from training.evaluation.matchers import open_matchers  # noqa: E402
from training.evaluation.orientation import MARGIN_PX, SIZE_PX, OrientationMatcher, windows  # noqa: E402
from training.evaluation.two_sources import STRIDE_M, TwoSources, open_two_sources  # noqa: E402
from training.model.build import build_network  # noqa: E402
from training.recipes.data_schema import SourceSpec, ViewsSpec  # noqa: E402
from training.recipes.schema import Recipe  # noqa: E402

Pixels = npt.NDArray[np.uint8]


@pytest.fixture
def places(textures: Path, tiny_recipe: Recipe) -> HeldOut:
    """The grid of one held-out image of 200 x 200 m, whose views change in nothing but the framing."""
    spec = tiny_recipe.data.orthophotos
    assert spec is not None
    plain = replace(spec.views, map=spec.views.map.softened(0.0), drone=spec.views.drone.softened(0.0))
    images = load_imagery(textures, (SourceSpec("7.png", gsd_m=0.5, hold_out_every=1),), 0.1)
    return held_out(images, plain, 40.0, seed=1)


def test_the_rank_of_the_own_tile_counts_equal_scores_against_it():
    scores = np.array([[0.9, 0.1, 0.2], [0.5, 0.4, 0.6], [0.3, 0.3, 0.3]], np.float32)
    assert own_ranks(scores).tolist() == [0, 2, 2]
    assert own_ranks(scores[:2]).tolist() == [0, 2]


def test_recall_in_a_smaller_gallery_by_hand():
    """One query, 2 of 4 others are better: a gallery with one other holds a worse one half the time."""
    ranks = np.array([2])
    assert recall_among(ranks, 5, 2, 1) == pytest.approx(0.5)
    assert recall_among(ranks, 5, 3, 1) == pytest.approx(1 / 6)  # both of two others are worse: 1 of 6 pairs
    assert recall_among(ranks, 5, 3, 2) == pytest.approx(5 / 6)
    assert [recall_among(ranks, 5, 5, k) for k in (1, 2, 3)] == [0, 0, 1]


def test_recall_in_a_smaller_gallery_is_what_drawing_it_gives():
    rng = np.random.default_rng(0)
    ranks = rng.integers(0, 40, 50)
    drawn = [[(rng.permutation(99)[:19] < rank).sum() < 5 for _ in range(200)] for rank in ranks]
    assert recall_among(ranks, 100, 20, 5) == pytest.approx(np.mean(drawn), abs=0.015)


def test_errors_are_exact_and_keep_their_side():
    drawn = Distortion(shift=(0.1, 0.0), turn_rad=-0.02, scale=0.97)
    wrong = wrong_by(drawn, Error(heading_deg=20.0, scale=0.25))
    assert (math.degrees(wrong.turn_rad), wrong.scale, wrong.shift) == (pytest.approx(-20.0), 0.8, (0.1, 0.0))
    assert wrong_by(drawn, Error()) == drawn
    assert wrong_by(drawn, Error(heading_deg=0.0, scale=0.0)).scale == 1.0


def test_an_error_changes_the_framing_and_not_the_light(places: HeldOut):
    lit = replace(places, views=replace(places.views, drone=ViewsSpec().drone))
    with_error = [lit.queries(4, 64, Error(heading_deg=h, scale=0.0)) for h in (0.0, 0.0, 25.0)]
    assert np.array_equal(with_error[0], with_error[1])
    means = [views.mean(axis=(1, 2, 3)) for views in with_error]
    assert not np.array_equal(with_error[0], with_error[2])
    assert np.abs(means[0] - means[2]).max() < 25


def test_no_place_is_shown_twice_and_none_that_is_trained_on(places: HeldOut):
    assert len({(p.x_m, p.y_m) for p in places.places}) == len(places.places) == 25
    assert all(image.held_out for image in places.images)
    with pytest.raises(TrainingError, match="no two held-out places of 150 m"):
        held_out(places.images, places.views, 150.0, seed=1)


def test_sizes_are_compared_on_images_fine_enough_for_all(places: HeldOut, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(conditions, "SIDES_M", (4.0, 40.0))
    with pytest.raises(TrainingError, match="no two held-out places"):
        held_out(places.images, places.views, 40.0, seed=1, fine=True)


def test_the_baselines_score_is_that_of_the_localizers_correlation(places: HeldOut, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(orientation, "POSES", ((0.0, 1.0),))
    tiles = places.tiles(5, 128)
    noise = np.random.default_rng(0).normal(0.0, 40.0, tiles.shape)
    queries = np.clip(tiles + noise, 1, 255).astype(np.uint8)  # the best shift is none, far from the tile's border
    scores = OrientationMatcher().scores(queries, tiles)

    small = [[small_grey(image) for image in images] for images in (queries, tiles)]
    whole, middle = np.full((SIZE_PX, SIZE_PX), 255, np.uint8), np.zeros((SIZE_PX, SIZE_PX), np.uint8)
    middle[MARGIN_PX - 2 : 2 - MARGIN_PX, MARGIN_PX - 2 : 2 - MARGIN_PX] = 255  # two pixels are taken off again
    fields = [structure.orientation_field(tile, whole) for tile in small[1]]
    texture = float(np.mean([np.square(field).sum(axis=2).mean() for field in fields]))
    for index, (query, tile) in enumerate(zip(*small)):
        around = cv2.copyMakeBorder(tile, *(4 * [MARGIN_PX]), cv2.BORDER_CONSTANT)
        side = structure.transform_size(SIZE_PX, len(around))
        template = structure.make_template(query, middle, side, texture)
        field = structure.correlate(template, structure.make_window(around, side))
        assert field.argmax() == field.size // 2
        assert scores[index, index] == pytest.approx(field.max(), abs=1e-4)


def small_grey(image: Pixels) -> Pixels:
    small = cv2.resize(image, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)


def test_every_window_of_a_field_is_there_once():
    field = np.arange(SIZE_PX * SIZE_PX, dtype=np.float32).reshape(SIZE_PX, SIZE_PX, 1)
    seen, side = windows(field), SIZE_PX - 2 * MARGIN_PX
    assert seen.shape == ((2 * MARGIN_PX + 1) ** 2, side * side)
    assert seen[0, 0] == 0 and seen[1, 0] == 1 and seen[-1, -1] == SIZE_PX * SIZE_PX - 1


def test_the_baseline_finds_places_that_are_shifted_turned_and_scaled_a_little(places: HeldOut):
    scores = OrientationMatcher().scores(places.queries(10, 128, Error(5.0, 0.05)), places.tiles(25, 128))
    assert (own_ranks(scores) == 0).mean() >= 0.9


def textured(size: int = 400) -> Pixels:
    noise = np.random.default_rng(0).integers(0, 256, (size // 8, size // 8, 3), np.uint8)
    return np.asarray(cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC), np.uint8)


def test_queries_of_two_sources_lie_midway_between_tiles():
    two = TwoSources(textured(), textured(), 0.5)
    tiles, queries = two.grid(72.0, 0.0), two.grid(72.0, STRIDE_M / 2)
    assert len(tiles) == 15 * 15 and len(queries) == 14 * 14
    nearest = np.hypot(*(queries[:, None] - tiles).transpose(2, 0, 1)).min(axis=1)
    assert nearest == pytest.approx(np.full(len(queries), STRIDE_M / math.sqrt(2)))


def test_the_same_image_twice_is_found_and_another_ground_is_not():
    matcher, none = OrientationMatcher(), np.empty((0, 128, 128, 3), np.uint8)
    same = TwoSources(textured(), textured(), 0.25).ranks(matcher, 72.0, none)
    other = TwoSources(np.ascontiguousarray(textured()[::-1]), textured(), 0.25).ranks(matcher, 72.0, none)
    assert (same == 0).mean() > 0.9 > 0.5 > (other == 0).mean()
    with pytest.raises(TrainingError, match="show less than"):
        TwoSources(textured(), textured(), 0.1).ranks(matcher, 72.0, none)


def test_two_images_of_different_size_are_refused(tmp_path: Path):
    for name, size in (("a.png", 80), ("b.png", 88)):
        cv2.imwrite(str(tmp_path / name), textured(size))
    with pytest.raises(TrainingError, match="differ in size: both must show the same ground pixel for pixel"):
        open_two_sources(tmp_path / "a.png", tmp_path / "b.png", 0.2)
    with pytest.raises(TrainingError, match="0 m per pixel is no scale"):
        open_two_sources(tmp_path / "a.png", tmp_path / "a.png", 0.0)


def test_models_of_one_file_name_are_told_apart_by_their_folders(tiny_recipe: Recipe, tmp_path: Path):
    for folder in ("old", "new"):
        (tmp_path / folder).mkdir()
        save_weights(tmp_path / folder / "w.safetensors", build_network("tiny"), "test")
    named = [matcher.name for matcher in open_matchers([str(tmp_path / f / "w.safetensors") for f in ("old", "new")])]
    assert named == ["old/w", "new/w"]


def test_the_command_measures_models_and_baseline_in_one_run(
    textures: Path, tiny_recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(conditions, "SIDES_M", (30.0, 40.0))
    monkeypatch.setattr("training.evaluation.curves.SIDES_M", (30.0, 40.0))
    (tmp_path / "tiny.yaml").write_text(json.dumps(tiny_recipe.to_dict()))
    save_weights(tmp_path / "w.safetensors", build_network("tiny"), "test")
    app, out = Typer(), tmp_path / "out"
    app.command()(curves)
    pair = [str(textures / "6.png"), str(textures / "6.png"), "0.25"]
    words = [str(tmp_path / "w.safetensors"), "--data", str(textures), "--recipe", str(tmp_path / "tiny.yaml")]
    result = CliRunner().invoke(app, [*words, "-o", str(out), "--queries", "4", "--tiles", "8", "--pair", *pair])
    assert result.exit_code == 0, result.output
    found = json.loads((out / "curves.json").read_text())
    assert [curve["name"] for curve in found["curves"]] == ["gallery", "heading", "scale", "side"]
    for curve in found["curves"]:
        assert set(curve["recall"]) == {"w", "orientation correlation"}
        assert all(len(by_k["1"]) == len(curve["x"]) for by_k in curve["recall"].values())
    assert len(found["recalls"]) == 3 and "two sources of one place" in found["recalls"]
    assert (out / "curves.png").stat().st_size > 10_000
    assert "heading error, deg" in (out / "curves.md").read_text()
