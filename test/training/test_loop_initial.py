"""Weights to begin with, and what is left on TensorBoard after a resume."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mift_ros.errors import TrainingError
from training.checkpoint import save_weights
from training.loop.initial import load_initial
from training.loop.trainer import train
from training.model.build import build_network
from training.recipes.schema import NetworkSpec, Recipe


def test_a_run_begins_with_the_weights_it_is_given(textures: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    train(tiny_recipe, textures, tmp_path / "first")
    start = tmp_path / "first" / "weights.safetensors"
    network = build_network("tiny")
    assert load_initial(start, network) == []
    frozen = replace(tiny_recipe, steps=1, optimizer=replace(tiny_recipe.optimizer, learning_rate=1e-30, ema_decay=0.0))
    train(frozen, textures, tmp_path / "second", init=start)
    again = build_network("tiny")
    load_initial(tmp_path / "second" / "weights.safetensors", again)
    for (name, a), b in zip(network.named_parameters(), again.parameters()):
        torch.testing.assert_close(a, b, msg=name)
    with pytest.raises(TrainingError, match="leave out --init or --resume"):
        train(frozen, textures, tmp_path / "second", resume=True, init=start)


def test_heads_of_another_method_are_named_and_left(tiny_recipe: Recipe, tmp_path: Path) -> None:
    torch.manual_seed(1)
    save_weights(tmp_path / "gem.safetensors", build_network("tiny", "gem"), "a recipe")
    network = build_network("tiny", changes=NetworkSpec(regions=2))
    head = network.state_dict()["global_head.0.weight"].clone()
    unmatched = load_initial(tmp_path / "gem.safetensors", network)
    assert "global_head.0.weight" in unmatched and "head.0.weight" in unmatched
    assert not any(key.startswith("stages.") for key in unmatched)
    assert torch.equal(network.state_dict()["global_head.0.weight"], head)


def test_stages_of_another_variant_are_refused(tiny_recipe: Recipe, tmp_path: Path) -> None:
    save_weights(tmp_path / "pico.safetensors", build_network("mift_pico"), "a recipe")
    with pytest.raises(TrainingError, match=r"pico\.safetensors: its stages are not those of tiny, for example stages"):
        load_initial(tmp_path / "pico.safetensors", build_network("tiny"))
    with pytest.raises(TrainingError, match=r"none\.safetensors"):
        load_initial(tmp_path / "none.safetensors", build_network("tiny"))


def test_tensorboard_shows_every_step_once_after_a_resume(textures: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    train(replace(tiny_recipe, steps=4), textures, tmp_path)
    train(tiny_recipe, textures, tmp_path, resume=True)
    scalars = events.EventAccumulator(str(tmp_path / "tensorboard"))
    scalars.Reload()
    assert [event.step for event in scalars.Scalars("loss")] == [1, 2, 3, 4, 5, 6]
    assert "recall_1" in scalars.Tags()["scalars"]
