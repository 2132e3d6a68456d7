"""Recipes: what is read, what is refused, and in which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from mift_ros.errors import TrainingError
from training.recipes.reader import load_recipe, parse_recipe
from training.recipes.schema import BatchSpec

SHIPPED = Path(__file__).parents[2] / "training/recipes/first_weights.yaml"
MINIMAL = {
    "name": "a",
    "variant": "mift_nano",
    "steps": 10,
    "loss": {"infonce": 1.0},
    "data": {"orthophotos": {"sources": [{"images": "*.jpg"}]}},
}


def test_overrides_reach_nested_keys() -> None:
    recipe = load_recipe(SHIPPED, ("optimizer.learning_rate=2e-3", "steps=7", "batch.classes=9"))
    assert (recipe.optimizer.learning_rate, recipe.steps, recipe.batch.classes) == (0.002, 7, 9)


def test_defaults_fill_what_a_recipe_leaves_out() -> None:
    assert parse_recipe(MINIMAL, "here").batch == BatchSpec()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"learning_rat": 1}, "unknown key 'learning_rat'"),
        ({"optimizer": {"lr": 1.0}}, "unknown key 'optimizer.lr'"),
        ({"data": {"orthophotos": {"sources": [{"gsd": 1.0}]}}}, "unknown key 'data.orthophotos.sources[0].gsd'"),
        ({"data": {"orthophotos": {}}}, "missing key 'data.orthophotos.sources'"),
        ({"data": {"orthophotos": {"sources": [{}]}}}, "sources: give each images or pairs"),
        ({"data": {"orthophotos": {"sources": [{"images": "a", "pairs": "b"}]}}}, "sources: give each images or pairs"),
        (
            {"data": {"orthophotos": {"sources": [{"pairs": "b", "appearance": 1.5}]}}},
            "appearance and geometry are factors from 0 to 1",
        ),
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
    with pytest.raises(TrainingError, match=r"no such recipe; give a file or one of .*infonce"):
        load_recipe(Path("nowhere.yaml"))
    with pytest.raises(TrainingError, match="write key=value"):
        load_recipe(SHIPPED, ("steps",))
    with pytest.raises(TrainingError, match="'name' has no keys"):
        load_recipe(SHIPPED, ("name.x=1",))
