"""The recipes that come with the package: all are valid, and paper.yaml says what the paper says."""

from __future__ import annotations

from pathlib import Path

import pytest

from mift_ros.errors import TrainingError
from training.model.config import VARIANTS
from training.recipes.data_schema import HardNegatives
from training.recipes.reader import load_recipe, parse_recipe
from training.recipes.schema import OptimizerKind

RECIPES = Path(__file__).parents[2] / "training" / "recipes"
FILES = sorted(RECIPES.glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_recipe_is_valid_and_named_like_its_file(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.name == path.stem and recipe.variant in VARIANTS
    assert parse_recipe(recipe.to_dict(), "here") == recipe


def test_a_shipped_recipe_is_found_by_its_name() -> None:
    assert load_recipe(Path("paper")) == load_recipe(RECIPES / "paper.yaml")


def test_first_weights_hold_out_whole_places() -> None:
    recipe = load_recipe(RECIPES / "first_weights.yaml")
    assert recipe.data.orthophotos is not None
    sources = recipe.data.orthophotos.sources
    held = {source.images for source in sources if source.hold_out_every == 1}
    assert any("ulyanovsk" in images for images in held) and any("hura_town_detail" in images for images in held)
    assert not any("hura_town_z17" in source.images for source in sources)


def test_paper_says_what_sections_3_and_4_say() -> None:
    recipe = load_recipe(RECIPES / "paper.yaml")
    assert (recipe.variant, recipe.method, recipe.epochs) == ("mift_s", "mift", 200)
    assert VARIANTS[recipe.variant].input_size == 224 and VARIANTS[recipe.variant].regions == 3
    assert (recipe.batch.classes, recipe.batch.per_class) == (8, 3)
    loss, optimizer = recipe.loss, recipe.optimizer
    assert (loss.triplet, loss.margin, loss.hardest, loss.identity, loss.infonce) == (4.0, 0.3, False, 0.0, 0.0)
    assert optimizer.kind is OptimizerKind.SGD
    assert (optimizer.momentum, optimizer.weight_decay) == (0.9, 0.0005)
    assert (optimizer.backbone_learning_rate, optimizer.learning_rate) == (0.003, 0.01)
    assert (recipe.schedule.milestones, recipe.schedule.factor, recipe.schedule.warmup_steps) == ((100, 120), 0.1, 0)
    assert recipe.data.multiview is not None
    augment = recipe.data.multiview.augment
    assert augment.flip == 0.5 and augment.crop > 0 and augment.satellite_shift > 0
    assert (augment.flip_together, augment.colour, augment.jpeg, augment.dropout) == (0.0, 0.0, 0.0, 0.0)
    assert not augment.satellite_turns and recipe.data.multiview.hard_negatives is HardNegatives.NONE


def test_infonce_says_what_makes_it_stronger() -> None:
    recipe = load_recipe(RECIPES / "infonce.yaml")
    assert (recipe.loss.infonce, recipe.loss.label_smoothing, recipe.loss.triplet) == (1.0, 0.1, 0.0)
    assert recipe.optimizer.kind is OptimizerKind.ADAMW and recipe.optimizer.ema_decay > 0
    assert not recipe.schedule.milestones and recipe.schedule.warmup_steps > 0
    assert recipe.data.multiview is not None
    augment = recipe.data.multiview.augment
    assert augment.flip_together > 0 and augment.flip == 0.0 and augment.satellite_turns
    assert min(augment.colour, augment.focus, augment.jpeg, augment.dropout) > 0
    assert recipe.data.multiview.hard_negatives is HardNegatives.EMBEDDING


def test_infonce_is_shown_as_many_images_as_paper() -> None:
    paper, infonce = load_recipe(RECIPES / "paper.yaml"), load_recipe(RECIPES / "infonce.yaml")
    assert infonce.epochs * infonce.batch.per_class == paper.epochs * paper.batch.per_class


def test_an_override_reaches_the_multi_view_data() -> None:
    changes = ("data.multiview.augment.crop=0.1", "data.multiview.hard_negatives=geographic", "batch.per_class=1")
    multiview = load_recipe(RECIPES / "paper.yaml", changes).data.multiview
    assert multiview is not None
    assert (multiview.augment.crop, multiview.augment.flip) == (0.1, 0.5)
    assert multiview.hard_negatives is HardNegatives.GEOGRAPHIC


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("data.multiview.augment.colors=0.1", "unknown key 'data.multiview.augment.colors'"),
        ("data.multiview.augment.flip=1.5", "probabilities are from 0 to 1"),
        ("data.multiview.augment.crop=1.0", "shares below 1"),
        ("data.multiview.hard_share=2", "data.multiview.hard_share: from 0 to 1"),
        ("data.multiview.hard_negatives=nearest", "one of none, embedding, geographic, not 'nearest'"),
        ("loss.infonce=1.0", "batch.per_class: 1 with infonce"),
        ("loss.label_smoothing=1.0", "loss.label_smoothing: from 0 to below 1"),
        ("optimizer.momentum=1.0", "optimizer.momentum: from 0 to below 1"),
        ("optimizer.backbone_learning_rate=-1.0", "optimizer.backbone_learning_rate: not negative"),
        ("optimizer.weight_decay=-1.0", "optimizer.weight_decay: not negative"),
        ("optimizer.clip_norm=-1.0", "optimizer.clip_norm: not negative"),
        ("schedule.milestones=[0, 120]", "schedule.milestones: epochs above 0"),
        ("schedule.factor=0.0", "schedule.factor: above 0"),
        ("schedule.warmup_steps=-1", "schedule.warmup_steps: not negative"),
        ("batch.accumulate=5", "batch.accumulate: at least 2 classes a backward pass"),
    ],
)
def test_an_impossible_override_is_one_clear_line(change: str, words: str) -> None:
    with pytest.raises(TrainingError) as caught:
        load_recipe(RECIPES / "paper.yaml", (change,))
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_milestones_need_epochs() -> None:
    with pytest.raises(TrainingError, match=r"schedule\.milestones: orthophotos have no epochs"):
        load_recipe(RECIPES / "first_weights.yaml", ("schedule.milestones=[3]",))
