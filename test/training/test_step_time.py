"""The timeline of a step: its parts, and what is counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mift_ros.errors import TrainingError
from training.loop.step_time import matrix_rate, step_flops, time_steps
from training.loop.stepper import Stepper
from training.recipes.schema import Recipe


def test_every_step_is_divided_into_waiting_forward_backward_and_update(textures: Path, tiny_recipe: Recipe) -> None:
    recipe = replace(tiny_recipe, batch=replace(tiny_recipe.batch, accumulate=2))
    rows = time_steps(recipe, textures, 3)
    assert [row.label for row in rows] == ["plain float32", "float32", "bfloat16"]
    for row in rows:
        assert row.images == 2 * recipe.batch.classes
        assert {len(seconds) for seconds in row.parts.values()} == {3}
        assert sum(row.share(part) for part in row.parts) == pytest.approx(1.0)
        assert all(seconds > 0 for part in row.parts.values() for seconds in part)
        assert row.images_per_s == pytest.approx(row.images / row.seconds)


def test_a_step_that_the_memory_does_not_hold_is_told(
    textures: Path, tiny_recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stepper, "step", lambda self, batch: torch.empty(2**55))
    with pytest.raises(TrainingError, match=r"batch\.classes=8; try --set batch\.classes=4$"):
        time_steps(tiny_recipe, textures, 3)


def test_a_step_counts_forward_once_and_backward_twice(tiny_recipe: Recipe) -> None:
    assert step_flops(tiny_recipe, 6) == 2 * step_flops(tiny_recipe, 3)
    assert step_flops(tiny_recipe, 1) % 3 == 0
    assert matrix_rate(torch.float32, torch.device("cpu"), rounds=1) > 0
