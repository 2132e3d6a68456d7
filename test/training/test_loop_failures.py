"""What goes wrong during a run: one line each, and the steps done before are not lost."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mift_ros.errors import TrainingError
from training.checkpoint import load_weights
from training.data.batch import Batch
from training.data.orthophotos.batches import OrthophotoBatches
from training.loop import failures
from training.loop import fetch as fetching
from training.loop.failures import step_told
from training.loop.state import STATE_FILE, read_state_file
from training.loop.trainer import WEIGHTS_FILE, train
from training.recipes.schema import BatchSpec, Recipe

REPOSITORY = Path(__file__).parents[2]
HOLD = "c = claimed(Path('{}')); c.__enter__(); print('holds', flush=True); input()"


def one_line(caught: pytest.ExceptionInfo[TrainingError]) -> str:
    message = str(caught.value)
    assert "\n" not in message
    return message


@contextmanager
def largest_file(limit_bytes: int) -> Iterator[None]:
    """The system refuses to let any file of this process grow beyond the limit, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_last_checkpoint(textures: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    train(replace(tiny_recipe, steps=3), textures, run_dir)
    before = {name: (run_dir / name).read_bytes() for name in (STATE_FILE, WEIGHTS_FILE)}
    evaluation = replace(tiny_recipe.evaluation, every_steps=100)
    recipe = replace(tiny_recipe, steps=6, checkpoint_steps=5, evaluation=evaluation)
    with largest_file(len(before[STATE_FILE]) // 2), pytest.raises(TrainingError) as caught:
        train(recipe, textures, run_dir, resume=True)
    message = one_line(caught)
    assert "the disk is full" in message and str(run_dir) in message
    assert "the checkpoint of step 3 is intact: make room and go on with --resume" in message
    assert {name: (run_dir / name).read_bytes() for name in before} == before
    assert not list(run_dir.glob("*.tmp"))

    assert train(recipe, textures, run_dir, resume=True)
    assert train(recipe, textures, tmp_path / "whole")
    assert read_state_file(run_dir / STATE_FILE)["step"] == 6


def test_a_disk_full_from_the_start_is_told(textures: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    with (
        largest_file(100),
        pytest.raises(TrainingError, match="there is no checkpoint yet: make room and begin again") as caught,
    ):
        train(tiny_recipe, textures, tmp_path)
    one_line(caught)


def test_a_loss_that_is_not_finite_ends_the_run(textures: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    optimizer = replace(tiny_recipe.optimizer, learning_rate=1e30, ema_decay=0.0)
    with pytest.raises(TrainingError, match=r"the (loss|gradient) is (nan|inf) at step [12]") as caught:
        train(replace(tiny_recipe, optimizer=optimizer, checkpoint_steps=1), textures, tmp_path)
    assert "lower optimizer.learning_rate" in one_line(caught)
    weights = load_weights(tmp_path / WEIGHTS_FILE).state_dict()
    assert all(torch.isfinite(value).all() for value in weights.values())


def test_too_little_memory_names_a_batch_to_try() -> None:
    with pytest.raises(TrainingError) as caught, step_told(BatchSpec(classes=96)):
        torch.empty(2**55)
    assert one_line(caught).endswith(
        "out of memory with batch.classes=96; try --set batch.accumulate=2, which keeps the classes of a step, "
        "or --set batch.classes=48"
    )
    with pytest.raises(TrainingError, match=r"try --set batch\.classes=3$"), step_told(BatchSpec(classes=7)):
        raise MemoryError


@pytest.mark.parametrize(
    ("world", "classes", "accumulate", "advice"),
    [
        (4, 96, 1, "try --set batch.accumulate=2, which keeps the classes of a step, or --set batch.classes=48"),
        (3, 9, 1, "try --set batch.classes=3"),
        (8, 24, 3, "no fewer can be shared by its processes and passes: take a smaller variant or more memory"),
        (1, 12, 4, "try --set batch.classes=8"),
    ],
)
def test_the_batch_to_try_can_be_shared_by_the_processes(
    monkeypatch: pytest.MonkeyPatch, world: int, classes: int, accumulate: int, advice: str
) -> None:
    monkeypatch.setattr(failures, "process_count", lambda: world)
    with pytest.raises(TrainingError) as caught, step_told(BatchSpec(classes=classes, accumulate=accumulate)):
        raise MemoryError
    assert one_line(caught).endswith(advice)


def test_other_errors_are_not_taken_for_it() -> None:
    with pytest.raises(RuntimeError, match="shapes"), step_told(BatchSpec()):
        raise RuntimeError("shapes differ")


def break_at(monkeypatch: pytest.MonkeyPatch, step: int, how: str) -> None:
    """Make the source fail at a step: with an error, by the end of its process, or by no end."""
    own = OrthophotoBatches.__getitem__

    def broken(self: OrthophotoBatches, wanted: int) -> Batch:
        if wanted == step and how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if wanted == step and how == "stuck":
            time.sleep(60)
        if wanted == step:
            raise TrainingError("0001/satellite.jpg: the image cannot be read; replace or remove it")
        return own(self, wanted)

    monkeypatch.setattr(OrthophotoBatches, "__getitem__", broken)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_image_keeps_the_steps_before_it(
    textures: Path, tiny_recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    recipe = replace(tiny_recipe, workers=workers)
    with monkeypatch.context() as patch:
        break_at(patch, 4, "damaged")
        with pytest.raises(TrainingError) as caught:
            train(recipe, textures, tmp_path)
    assert one_line(caught) == "0001/satellite.jpg: the image cannot be read; replace or remove it"
    assert read_state_file(tmp_path / STATE_FILE)["step"] == 4
    assert train(recipe, textures, tmp_path, resume=True)


def test_a_worker_that_dies_is_told(
    textures: Path, tiny_recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_at(monkeypatch, 4, "killed")
    with pytest.raises(TrainingError, match="a worker that prepares batches was ended from outside") as caught:
        train(replace(tiny_recipe, workers=1), textures, tmp_path)
    one_line(caught)


@pytest.mark.skipif(not fetching.SHARED_MEMORY.is_dir(), reason="batches go another way here")
def test_too_little_shared_memory_is_told_before_the_data_are_read(tiny_recipe: Recipe, tmp_path: Path) -> None:
    recipe = replace(tiny_recipe, workers=4, batch=replace(tiny_recipe.batch, classes=10**9))
    with pytest.raises(TrainingError, match=r"workers=4 take up to \d+ MB; .* --ipc=host") as caught:
        train(recipe, tmp_path / "missing", tmp_path / "run")
    one_line(caught)


def test_a_worker_that_gives_nothing_is_not_waited_for_for_ever(
    textures: Path, tiny_recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "LONGEST_WAIT_S", 6)
    break_at(monkeypatch, 4, "stuck")
    with pytest.raises(TrainingError, match="no worker gave a batch for 0 minutes") as caught:
        train(replace(tiny_recipe, workers=1), textures, tmp_path)
    one_line(caught)
    assert read_state_file(tmp_path / STATE_FILE)["step"] == 4


class OneThreaded:
    """A BatchSource that ends OpenCV's threads, as ours do before they prepare a batch."""

    classes = epoch_steps = 0

    def __getitem__(self, step: int) -> Batch:
        cv2.setNumThreads(1)
        return Batch(*(torch.tensor([step]) for _ in range(3)))


def test_workers_do_not_wait_for_threads_of_opencv_that_were_busy_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "LONGEST_WAIT_S", 20)
    cv2.setNumThreads(2)
    cv2.GaussianBlur(np.zeros((2000, 2000, 3), np.uint8), (9, 9), 3.0)
    assert [batch.labels.item() for batch in fetching.fetch(OneThreaded(), 3, 6, 1, False)] == [3, 4, 5]


def test_a_folder_in_use_is_told(textures: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    holding = f"from pathlib import Path; from training.loop.run_dir import claimed; {HOLD.format(str(tmp_path))}"
    command = [sys.executable, "-c", holding]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY) as other:
        assert other.stdout is not None and other.stdout.readline() == b"holds\n"
        with pytest.raises(TrainingError, match="another process trains into this folder"):
            train(tiny_recipe, textures, tmp_path)
        other.communicate(b"end")
    assert train(replace(tiny_recipe, steps=1), textures, tmp_path)


def test_a_run_folder_that_is_a_file_is_told(textures: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TrainingError, match=r"file: not a folder"):
        train(tiny_recipe, textures, tmp_path / "file")
    with pytest.raises(TrainingError, match=r"cannot be written \(Not a directory\)"):
        train(tiny_recipe, textures, tmp_path / "file" / "run")
