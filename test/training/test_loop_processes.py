"""Several processes: the same experiment as one, by the command that a user types."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from mift_ros.errors import TrainingError
from training.checkpoint import load_weights
from training.data.batch import Share
from training.loop.batch_norm import share_batch_norm
from training.loop.generators import seed_process, set_generator_states
from training.loop.history import read_history
from training.loop.objective import batch_recall
from training.loop.trainer import WEIGHTS_FILE, train
from training.loop.training_data import open_training_data
from training.model.build import build_network
from training.recipes.schema import BatchSpec, LossSpec, OptimizerKind, OptimizerSpec, Recipe

REPOSITORY = Path(__file__).parents[2]


def test_two_processes_are_one_experiment(
    textures: Path, tiny_recipe: Recipe, train_command: Callable[[Recipe, Path], list[str]], tmp_path: Path
) -> None:
    """Loss curves and weights of torchrun's two processes, two backward passes each, against one process.

    With SGD: AdamW's first steps are signs of gradients, and make as much of float noise as of anything else.
    """
    optimizer = OptimizerSpec(OptimizerKind.SGD, learning_rate=0.02, weight_decay=5e-4, ema_decay=0.9)
    batch = BatchSpec(classes=8, accumulate=2)
    recipe = replace(tiny_recipe, variant="mift_pico", steps=4, batch=batch, optimizer=optimizer)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, *train_command(recipe, tmp_path / "two")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("trained") == 1

    train(recipe, textures, tmp_path / "one")
    one, two = (read_history(tmp_path / run / "log.csv") for run in ("one", "two"))
    for name in ("loss", "batch_recall", "temperature", "recall_1"):
        columns = [[row[name] for row in rows if name in row] for rows in (one, two)]
        assert columns[0] == pytest.approx(columns[1], rel=1e-4) and columns[0]
    weights = [load_weights(tmp_path / run / WEIGHTS_FILE) for run in ("one", "two")]
    images = torch.randn(4, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(weights[0](images), weights[1](images), rtol=0.0, atol=1e-3)


def test_shared_batch_norm_is_batch_norm_where_there_is_one_process() -> None:
    torch.manual_seed(0)
    own = nn.Sequential(nn.Conv2d(3, 5, 1), nn.BatchNorm2d(5), nn.Flatten(), nn.Linear(80, 4), nn.BatchNorm1d(4))
    shared = nn.Sequential(nn.Conv2d(3, 5, 1), nn.BatchNorm2d(5), nn.Flatten(), nn.Linear(80, 4), nn.BatchNorm1d(4))
    shared.load_state_dict(own.state_dict())
    parameters = {name: id(parameter) for name, parameter in shared.named_parameters()}
    share_batch_norm(shared, torch.device("cpu"))
    assert {name: id(parameter) for name, parameter in shared.named_parameters()} == parameters
    images = torch.randn(6, 3, 4, 4) * 3.0 + 50.0
    for _ in range(3):
        outputs = [network(images) for network in (own, shared)]
        torch.testing.assert_close(*outputs, rtol=1e-4, atol=1e-5)
    for output in outputs:
        output.square().mul(torch.arange(4.0)).sum().backward()
    for a, b in zip(own.parameters(), shared.parameters()):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-3, atol=1e-3)
    for name, buffer in own.state_dict().items():
        torch.testing.assert_close(shared.state_dict()[name], buffer)
    torch.testing.assert_close(own.eval()(images), shared.eval()(images))


def test_a_batch_that_processes_cannot_share_is_told(textures: Path, tiny_recipe: Recipe) -> None:
    recipe = replace(tiny_recipe, batch=BatchSpec(classes=8, accumulate=2))
    with pytest.raises(TrainingError, match=r"batch\.classes: 8 cannot be divided into 6 parts.* multiple of 6"):
        open_training_data(recipe, textures, 64, Share(0, 3, 2))


def test_batch_recall_counts_any_row_of_the_class() -> None:
    gallery = torch.eye(4).reshape(4, 1, 4)
    queries = gallery[[1, 0, 2, 0]]
    assert batch_recall(gallery, queries, torch.tensor([0, 0, 1, 1])).item() == 0.75


def test_every_kind_of_loss_trains(textures: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    recipe = replace(tiny_recipe, steps=1, loss=LossSpec(triplet=1.0), batch=BatchSpec(classes=4, per_class=2))
    train(recipe, textures, tmp_path)
    row = read_history(tmp_path / "log.csv")[0]
    assert row["loss"] == row["triplet"] and "temperature" not in row and "infonce" not in row


def test_bfloat16_keeps_the_weights_in_float32(textures: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    train(replace(tiny_recipe, steps=2, precision="bfloat16"), textures, tmp_path)
    state = load_weights(tmp_path / WEIGHTS_FILE).state_dict()
    assert {value.dtype for value in state.values() if value.is_floating_point()} == {torch.float32}


def test_other_methods_train_and_load(textures: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    train(replace(tiny_recipe, steps=1, method="gem"), textures, tmp_path)
    loaded = load_weights(tmp_path / WEIGHTS_FILE)
    assert type(loaded) is type(build_network("tiny", "gem")) and loaded.config.variant == "tiny"


def test_each_process_goes_on_with_its_own_random_numbers() -> None:
    states, numbers = [], []
    for rank in range(2):
        seed_process(3, Share(rank, 2))
        states.append(torch.get_rng_state())
        numbers.append(torch.rand(3))
    assert not torch.equal(*numbers)
    for rank in range(2):
        set_generator_states({"cpu": torch.stack(states)}, Share(rank, 2))
        assert torch.equal(torch.rand(3), numbers[rank])
    seed_process(4, Share())
    fresh = torch.get_rng_state()
    set_generator_states({"cpu": torch.stack(states)}, Share())
    assert torch.equal(torch.get_rng_state(), fresh)
