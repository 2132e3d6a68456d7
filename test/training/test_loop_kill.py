"""A run killed without warning goes on exactly where its last checkpoint was."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from training.checkpoint import load_weights
from training.loop.history import read_history
from training.loop.state import STATE_FILE
from training.loop.trainer import WEIGHTS_FILE, train
from training.recipes.schema import BatchSpec, NetworkSpec, Recipe

STEPS = 12
PATIENCE_S = 90.0


def test_a_run_killed_at_a_random_step_ends_with_the_weights_of_one_never_killed(
    textures: Path, tiny_recipe: Recipe, train_command: Callable[[Recipe, Path], list[str]], tmp_path: Path
) -> None:
    """With stochastic depth, whose draws are part of the state, and checkpoints every third step."""
    recipe = replace(
        tiny_recipe,
        variant="mift_pico",
        steps=STEPS,
        batch=BatchSpec(classes=4),
        checkpoint_steps=3,
        network=NetworkSpec(drop_path=0.2),
        evaluation=replace(tiny_recipe.evaluation, every_steps=6),
    )
    run_dir = tmp_path / "killed"
    kill_after([sys.executable, *train_command(recipe, run_dir)], run_dir, random.randint(4, STEPS - 4))
    assert (run_dir / STATE_FILE).is_file()

    assert train(recipe, textures, run_dir, resume=True)
    assert train(recipe, textures, tmp_path / "whole")
    killed, whole = (load_weights(run / WEIGHTS_FILE).state_dict() for run in (run_dir, tmp_path / "whole"))
    assert all(torch.equal(killed[name], whole[name]) for name in whole)
    rows = [read_history(run / "log.csv") for run in (run_dir, tmp_path / "whole")]
    assert [row["step"] for row in rows[0]] == list(range(1, STEPS + 1))
    assert [row["loss"] for row in rows[0]] == [row["loss"] for row in rows[1]]


def kill_after(command: list[str], run_dir: Path, step: int) -> None:
    """Start a run and send it SIGKILL when its log has this step."""
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.DEVNULL)
    until = time.monotonic() + PATIENCE_S
    while len(read_history(run_dir / "log.csv")) < step:
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
