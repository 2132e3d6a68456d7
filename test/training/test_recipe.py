"""Recipes: what is read, what is refused, and in which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from mift_ros.errors import TrainingError
from training.commands import SHIPPED_RECIPE
from training.loop.schedule import learning_rate, planned_steps
from training.recipes.reader import load_recipe, parse_recipe
from training.recipes.schema import BatchSpec

MINIMAL = {
    "name": "a",
    "variant": "mift_nano",
    "steps": 10,
    "loss": {"infonce": 1.0},
    "data": {"orthophotos": {"sources": [{"images": "*.jpg"}]}},
}


def test_shipped_recipe_is_valid_and_holds_out_whole_places() -> None:
    recipe = load_recipe(SHIPPED_RECIPE)
    assert recipe.data.orthophotos is not None
    sources = recipe.data.orthophotos.sources
    held = {source.images for source in sources if source.hold_out_every == 1}
    assert any("ulyanovsk" in images for images in held) and any("hura_town_detail" in images for images in held)
    assert not any("hura_town_z17" in source.images for source in sources)


def test_plain_values_make_the_same_recipe_again() -> None:
    recipe = load_recipe(SHIPPED_RECIPE)
    assert parse_recipe(recipe.to_dict(), "here") == recipe


def test_overrides_reach_nested_keys() -> None:
    recipe = load_recipe(SHIPPED_RECIPE, ("optimizer.learning_rate=2e-3", "steps=7", "batch.classes=9"))
    assert (recipe.optimizer.learning_rate, recipe.steps, recipe.batch.classes) == (0.002, 7, 9)


def test_defaults_fill_what_a_recipe_leaves_out() -> None:
    assert parse_recipe(MINIMAL, "here").batch == BatchSpec()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"learning_rat": 1}, "unknown key 'learning_rat'"),
        ({"optimizer": {"lr": 1.0}}, "unknown key 'optimizer.lr'"),
        ({"data": {"orthophotos": {"sources": [{"gsd": 1.0}]}}}, "unknown key 'data.orthophotos.sources[0].gsd'"),
        ({"data": {"orthophotos": {"sources": [{}]}}}, "missing key 'data.orthophotos.sources[0].images'"),
        ({"steps": "many"}, "'steps' is int, not 'many'"),
        ({"steps": True}, "'steps' is int, not True"),
        ({"network": {"kernels": 3}}, "'network.kernels' is a list, not 3"),
        ({"loss": 3}, "'loss' is a mapping, not int"),
        ({"optimizer": {"kind": "adam"}}, "'optimizer.kind' is one of sgd, adamw, not 'adam'"),
        ({"precision": "float16"}, "precision: float32 or bfloat16"),
        ({"batch": {"classes": 1}}, "at least 2"),
        ({"data": {"orthophotos": {"sources": []}}}, "give at least one"),
        ({"data": {}}, "give orthophotos or multiview"),
        ({"data": {"orthophotos": {"sources": [{"images": "a"}], "views": {"side_m": [9.0, 5.0]}}}}, "smallest <="),
        ({"epochs": 3}, "give steps or epochs"),
        ({"loss": {}}, "one of triplet, identity, infonce"),
        ({"loss": {"identity": 1.0}}, "orthophotos have no classes"),
        ({"batch": {"per_class": 3}}, "batch.per_class: 1 with infonce"),
    ],
)
def test_a_wrong_recipe_is_one_clear_line(change: dict[str, object], words: str) -> None:
    with pytest.raises(TrainingError) as caught:
        parse_recipe({**MINIMAL, **change}, "my.yaml")
    assert words in str(caught.value) and str(caught.value).startswith("my.yaml: ") and "\n" not in str(caught.value)


def test_missing_variant_is_named() -> None:
    with pytest.raises(TrainingError, match="missing key 'variant'"):
        parse_recipe({"name": "a"}, "my.yaml")


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [1\n", ""])
def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(TrainingError, match=r"broken\.yaml") as caught:
        load_recipe(path)
    assert "\n" not in str(caught.value)


def test_missing_recipe_and_malformed_override() -> None:
    with pytest.raises(TrainingError, match="no such recipe"):
        load_recipe(Path("nowhere.yaml"))
    with pytest.raises(TrainingError, match="write key=value"):
        load_recipe(SHIPPED_RECIPE, ("steps",))
    with pytest.raises(TrainingError, match="'name' has no keys"):
        load_recipe(SHIPPED_RECIPE, ("name.x=1",))


def test_learning_rate_warms_up_and_falls_to_zero() -> None:
    rates = [learning_rate(step, 100, 10, 1.0) for step in range(101)]
    assert rates[0] == pytest.approx(0.1) and rates[10] == pytest.approx(1.0)
    assert rates[55] == pytest.approx(0.5) and rates[100] == pytest.approx(0.0)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_steps_are_planned_from_the_time_left() -> None:
    assert planned_steps(done=8, seconds_per_step=2.0, minutes_left=10.0) == 308
    assert planned_steps(done=8, seconds_per_step=2.0, minutes_left=-1.0) == 9
