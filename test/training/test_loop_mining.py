"""Hard negatives: which classes are near, when they are computed, and that a resumed run sees the same ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from training.checkpoint import load_weights
from training.data.batch import Share
from training.data.multiview.batches import MultiviewBatches
from training.loop.history import read_history
from training.loop.interrupt import Interrupt
from training.loop.mining import mining_is_due, nearest_classes, nearest_rows, next_mining
from training.loop.state import STATE_FILE, read_state_file
from training.loop.trainer import WEIGHTS_FILE, train
from training.model.build import build_network
from training.recipes.data_schema import DataSpec, HardNegatives, MultiviewSpec
from training.recipes.schema import BatchSpec, Recipe

CLASSES = 8


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of noisy one-coloured places, two of a similar colour each; layout of University-1652."""
    folder = tmp_path_factory.mktemp("set")
    rng = np.random.default_rng(0)
    for views, numbers in (
        (("train/satellite", "train/drone"), range(CLASSES)),
        (("test/query_satellite", "test/query_drone", "test/gallery_satellite", "test/gallery_drone"), range(20, 23)),
    ):
        for view in views:
            for number in numbers:
                place = folder / view / f"{number:04d}"
                place.mkdir(parents=True)
                for index in range(1 if "satellite" in view else 2):
                    colour = np.array([30.0 * (number // 2), 200.0 - 25.0 * (number // 2), 40.0 + 3.0 * (number % 2)])
                    pixels = np.clip(colour + rng.normal(0.0, 5.0, (64, 64, 3)), 0, 255).astype(np.uint8)
                    cv2.imwrite(str(place / f"{index}.jpg"), pixels)
    return folder


@pytest.fixture
def recipe(tiny_recipe: Recipe) -> Recipe:
    """Two steps an epoch, mined after the first epoch."""
    spec = MultiviewSpec(hard_negatives=HardNegatives.EMBEDDING, neighbours=3)
    evaluation = replace(tiny_recipe.evaluation, every_steps=4)
    return replace(
        tiny_recipe, steps=0, epochs=4, batch=BatchSpec(classes=4), data=DataSpec(multiview=spec), evaluation=evaluation
    )


def test_the_nearest_rows_by_hand() -> None:
    angles = torch.tensor([0.0, 0.1, 0.3, 2.0])
    rows = torch.stack([angles.cos(), angles.sin()], dim=1)
    assert nearest_rows(rows, 2).tolist() == [[1, 2], [0, 2], [1, 0], [2, 1]]


def test_the_neighbours_of_a_class_show_its_like(root: Path, recipe: Recipe) -> None:
    torch.manual_seed(0)
    source = MultiviewBatches(root, recipe, 64, Share())
    nearest = nearest_classes(build_network("tiny"), source, 3)
    assert nearest.shape == (CLASSES, 3) and nearest.dtype == torch.int64
    assert not (nearest == torch.arange(CLASSES)[:, None]).any()


def test_when_neighbours_are_computed(root: Path, recipe: Recipe) -> None:
    def due(**changes: object) -> list[int]:
        assert recipe.data.multiview is not None
        spec = replace(recipe.data.multiview, **changes)
        other = replace(recipe, data=DataSpec(multiview=spec))
        return [step for step in range(13) if mining_is_due(other, source, step)]

    source = MultiviewBatches(root, recipe, 64, Share())
    assert source.epoch_steps == 2
    assert due() == [2, 4, 6, 8, 10, 12]
    assert due(hard_after_epochs=2, hard_every_epochs=3) == [4, 10]
    assert due(hard_negatives=HardNegatives.NONE) == []
    assert [next_mining(recipe, source, step) for step in (0, 1, 2, 3)] == [2, 2, 4, 4]


def test_a_resumed_run_trains_on_the_same_hard_negatives(root: Path, recipe: Recipe, tmp_path: Path) -> None:
    """Stopped within an epoch and at its end."""
    assert train(recipe, root, tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Interrupt, "requested", property(lambda _: True, lambda *_: None), raising=False)
        train(recipe, root, tmp_path / "parts")
        for _ in range(5):
            assert not train(recipe, root, tmp_path / "parts", resume=True)
    assert train(recipe, root, tmp_path / "parts", resume=True)
    whole, parts = (load_weights(tmp_path / run / WEIGHTS_FILE).state_dict() for run in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    assert read_state_file(tmp_path / "whole" / STATE_FILE)["neighbours"].shape == (CLASSES, 3)
    rows = read_history(tmp_path / "whole" / "log.csv")
    assert [row["step"] for row in rows if "satellite_recall_1" in row] == [4, 8]
    starts = json.loads((tmp_path / "parts" / "run.json").read_text())["starts"]
    assert [start["step"] for start in starts] == list(range(7))
