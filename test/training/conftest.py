"""A folder of synthetic textures, a network small enough to train within seconds, and a recipe that joins them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from training.model.config import VARIANTS, MiftConfig
from training.recipes.reader import parse_recipe
from training.recipes.schema import Recipe

TINY = MiftConfig("tiny", 64, (16, 16, 16, 16), (2, 2, 2, 2), (1, 1, 1, 1), 4, (4, 4, 8, 8), 8)

TEXTURES = {
    "sources": [{"images": "[0-6].png", "gsd_m": 0.5}, {"images": "7.png", "gsd_m": 0.5, "hold_out_every": 1}],
    "views": {"side_m": [30.0, 50.0], "least_px": 16.0},
}


@pytest.fixture(autouse=True)
def denormals() -> Iterator[None]:
    """Undo what training sets for its process: hypothesis draws numbers that would be flushed to zero."""
    yield
    torch.set_flush_denormal(False)


@pytest.fixture(scope="session")
def textures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight 400 x 400 images of random rectangles, 0.5 m per pixel by agreement."""
    folder = tmp_path_factory.mktemp("textures")
    rng = np.random.default_rng(0)
    for index in range(8):
        image = np.full((400, 400, 3), rng.integers(0, 256, 3), np.uint8)
        for _ in range(120):
            x, y, width, height = (int(v) for v in (*rng.integers(0, 400, 2), *rng.integers(8, 70, 2)))
            cv2.rectangle(image, (x, y), (x + width, y + height), rng.integers(0, 256, 3).tolist(), cv2.FILLED)
        cv2.imwrite(str(folder / f"{index}.png"), image)
    return folder


@pytest.fixture
def train_command(textures: Path, tmp_path: Path) -> Callable[[Recipe, Path], list[str]]:
    """Arguments of python that train a recipe on the textures into a folder: what a user types after `mift`."""

    def command(recipe: Recipe, run_dir: Path) -> list[str]:
        path = tmp_path / f"{recipe.name}.yaml"
        path.write_text(json.dumps(recipe.to_dict()))
        return ["-m", "mift_ros.cli", "train", "run", str(path), "--data", str(textures), "--out", str(run_dir)]

    return command


@pytest.fixture
def tiny_recipe(monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """Recipe of a few steps on the textures; the last image is held out."""
    monkeypatch.setitem(VARIANTS, "tiny", TINY)
    return make_recipe()


def make_recipe(**changes: Any) -> Recipe:
    """The tiny recipe with some keys changed."""
    values: dict[str, Any] = {
        "name": "tiny",
        "variant": "tiny",
        "steps": 6,
        "batch": {"classes": 8},
        "loss": {"infonce": 1.0, "branch_weight": 0.25},
        "data": {"orthophotos": TEXTURES},
        "evaluation": {"side_m": 40.0, "places": 12, "every_steps": 3},
        "schedule": {"warmup_steps": 2},
    }
    return parse_recipe({**values, **changes}, "tiny.yaml")
