"""The ablation of MIFT's parts: its rows, its pairing of queries, and a small run from beginning to end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from typer import Typer  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from mift_ros.errors import TrainingError  # noqa: E402
from training.bench_commands import parts  # noqa: E402
from training.model.build import build_network  # noqa: E402
from training.recipes.reader import load_recipe  # noqa: E402
from training.recipes.schema import Recipe  # noqa: E402
from training.tables import parts as experiment  # noqa: E402
from training.tables.parts import VIEW_SEEDS, PartResult, read_result, rows, run_parts  # noqa: E402
from training.tables.parts_report import cells  # noqa: E402


def result(ranks: list[int]) -> PartResult:
    return PartResult(0, 1, 2, 1_000_000, 2_000_000, {"full": ranks, "half": ranks})


def test_every_row_takes_one_part_away_and_keeps_the_length_of_the_embedding():
    built = []
    for part in rows("mift_pico"):
        recipe = load_recipe(Path("first_weights"), ("variant=mift_pico", *part.changes))
        built.append(build_network(recipe.variant, recipe.method, recipe.network))
    assert {network.embedding_dim for network in built} == {256}
    sizes = [sum(p.numel() for p in network.parameters()) for network in built]
    whole, *without = sizes
    assert all(size != whole for size in (without[0], without[2], without[3], without[4]))


def test_the_difference_is_taken_query_by_query():
    """Found by both, by neither, by the whole alone twice: -50 %, and its error over four queries is 25 %."""
    whole, without = result([0, 3, 0, 0]), result([0, 2, 1, 9])
    assert cells([without], [whole])[:3] == ["25.0", "75.0", "-50.0 ± 25.0"]
    assert cells([whole], [whole])[2] == ""


@pytest.fixture
def recipe_file(tiny_recipe: Recipe, tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(json.dumps(tiny_recipe.to_dict()))
    return path


def test_all_rows_are_trained_alike_and_ranked_on_the_same_places_and_not_run_again(
    textures: Path, recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole, *_, one_branch = rows("tiny")
    monkeypatch.setattr(experiment, "rows", lambda variant: (whole, one_branch))
    app, out = Typer(), tmp_path / "out"
    app.command()(parts)
    words = ["--data", str(textures), "--out", str(out), "--recipe", str(recipe_file), "--set", "steps=2"]
    shown = CliRunner().invoke(app, words)
    assert shown.exit_code == 0, shown.output
    assert shown.output.count("2 steps of 16 images") == 2
    found = json.loads((out / "parts.json").read_text())["rows"]
    assert list(found) == [whole.label, one_branch.label]
    lengths = {len(run["ranks"][strength]) for runs in found.values() for run in runs for strength in ("full", "half")}
    assert lengths == {12 * len(VIEW_SEEDS)}
    assert f"| {one_branch.label} |" in (out / "parts.md").read_text()

    monkeypatch.setattr(experiment, "train", None)
    assert "steps of" not in CliRunner().invoke(app, words).output


def test_the_same_views_are_shown_softer_at_half_strength(textures: Path, tiny_recipe: Recipe):
    full, half = (experiment._shown(tiny_recipe, strength, 1) for strength in (1.0, 0.5))
    before, after = (recipe.data.orthophotos.views.drone for recipe in (full, half))  # type: ignore[union-attr]
    assert after.strength == 0.5 * before.strength and after.cars == before.cars


def test_an_interrupted_row_says_so_and_a_damaged_result_is_named(
    textures: Path, recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(experiment, "train", lambda *args, **kwargs: False)
    with pytest.raises(experiment.Interrupted):
        list(run_parts(recipe_file, (), textures, tmp_path / "out", 1, print))
    (tmp_path / "result.json").write_text("{")
    with pytest.raises(TrainingError, match="damaged; delete the folder"):
        read_result(tmp_path / "result.json")


def test_a_recipe_of_classes_is_refused(tmp_path: Path):
    with pytest.raises(TrainingError, match="recipe paper: the parts are compared on held-out places of orthophotos"):
        list(run_parts(Path("paper"), (), tmp_path, tmp_path, 1, print))


def test_the_error_shrinks_with_the_queries():
    rng = np.random.default_rng(0)
    many = [result(rng.integers(0, 2, count).tolist()) for count in (100, 100, 1600, 1600)]
    few_error, many_error = (float(cells([a], [b])[2].split("±")[1]) for a, b in (many[:2], many[2:]))
    assert many_error == pytest.approx(few_error / 4, rel=0.15)
