"""Weights to begin with, and what is left on TensorBoard after a resume."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mift_ros.errors import TrainingError
from training.checkpoint import load_weights, read_config, save_weights
from training.loop.initial import load_initial
from training.loop.trainer import train
from training.model.build import build_network
from training.model.changes import changed
from training.model.config import VARIANTS
from training.model.position import stretched_table
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


def test_weights_of_a_lower_resolution_begin_a_run_at_a_higher_one(
    textures: Path, tiny_recipe: Recipe, tmp_path: Path
) -> None:
    low, high = (replace(tiny_recipe, network=NetworkSpec(input_size=size, regions=1)) for size in (32, 64))
    train(low, textures, tmp_path / "low")
    start = tmp_path / "low" / "weights.safetensors"
    assert read_config(start).input_size == 32
    assert load_weights(start)(torch.zeros(2, 3, 32, 32)).isfinite().all()
    assert load_initial(start, build_network("tiny", changes=high.network)) == []
    assert train(high, textures, tmp_path / "high", init=start)


def test_biases_of_position_are_interpolated_for_groups_of_another_size() -> None:
    across = torch.linspace(-1.0, 1.0, 7).expand(7, 7)  # groups of 4, one head that prefers what lies to the right
    slope = stretched_table(torch.stack([across, across.T]).reshape(2, 49), 13**2).reshape(2, 13, 13)
    torch.testing.assert_close(slope[0, :, (0, 6, 12)], torch.tensor([-1.0, 0.0, 1.0]).expand(13, 3))
    torch.testing.assert_close(slope[1], slope[0].T)
    assert (slope[0].diff(dim=1) > 0).all()


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (NetworkSpec(input_size=100), "network.input_size: a multiple of 32 pixels, not 100"),
        (NetworkSpec(input_size=-32), "network.input_size: a multiple of 32 pixels, not -32"),
        (
            NetworkSpec(input_size=160),
            r"network.group: it divides the tokens of a side of each stage, \[40, 20, 10, 5\], .*; not 8",
        ),
        (NetworkSpec(group=-1), r"network.group: .* not -1"),
    ],
)
def test_a_resolution_that_the_groups_do_not_divide_is_told(network: NetworkSpec, words: str) -> None:
    with pytest.raises(TrainingError, match=words):
        changed(VARIANTS["mift_nano"], network)


def test_stages_of_another_variant_are_refused(tiny_recipe: Recipe, tmp_path: Path) -> None:
    save_weights(tmp_path / "pico.safetensors", build_network("mift_pico"), "a recipe")
    with pytest.raises(TrainingError, match=r"pico\.safetensors: mift_pico cannot be widened to tiny"):
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
