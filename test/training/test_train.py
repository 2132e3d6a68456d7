"""Runs: learning, exact resume, interruption, evaluation, and every way a run refuses to start or go on."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from mift_ros.errors import TrainingError
from training.checkpoint import load_weights
from training.evaluation.held_out import Retrieval, evaluate_held_out, evaluate_pairs
from training.loop.average import averaged, moving_average
from training.loop.history import History, read_history
from training.loop.interrupt import Interrupt
from training.loop.plots import plot_curves
from training.loop.state import STATE_FILE, read_state_file
from training.loop.trainer import BEST_FILE, WEIGHTS_FILE, train
from training.model.mift import build
from training.model.network import Network
from training.recipes.data_schema import DataSpec
from training.recipes.schema import BatchSpec, Recipe


def weights_of(run_dir: Path) -> dict[str, torch.Tensor]:
    return load_weights(run_dir / WEIGHTS_FILE).state_dict()


def assert_same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


class MeanColour(nn.Module):
    """Embeds an image as its mean colour."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return nn.functional.normalize(images.mean(dim=(2, 3)), dim=1)


def test_a_run_writes_weights_state_log_and_curves(textures: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    assert train(tiny_recipe, textures, tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names >= {"weights.safetensors", "best.safetensors", "state.pt", "log.csv", "curves.png", "run.json"}
    assert not any(name.endswith(".tmp") for name in names)
    rows = read_history(tmp_path / "log.csv")
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row["step"] for row in rows if "recall_1" in row] == [3, 6]


def test_training_brings_the_views_of_a_place_together(textures: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    assert tiny_recipe.data.orthophotos is not None
    views = replace(tiny_recipe.data.orthophotos.views, gentle_start=0.0, ramp_steps=100000)
    recipe = replace(
        tiny_recipe,
        steps=30,
        data=DataSpec(orthophotos=replace(tiny_recipe.data.orthophotos, views=views)),
        optimizer=replace(tiny_recipe.optimizer, learning_rate=3e-3, ema_decay=0.8),
    )
    train(recipe, textures, tmp_path)
    losses = [row["loss"] for row in read_history(tmp_path / "log.csv")]
    assert np.mean(losses[-5:]) < 0.75 * np.mean(losses[:5])


def test_a_resumed_run_equals_an_uninterrupted_one(textures: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    train(tiny_recipe, textures, tmp_path / "whole")
    recipe = replace(tiny_recipe, checkpoint_minutes=0.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Interrupt, "requested", property(lambda _: True, lambda *_: None), raising=False)
        assert not train(recipe, textures, tmp_path / "parts")
        assert not train(recipe, textures, tmp_path / "parts", resume=True)
    assert train(recipe, textures, tmp_path / "parts", resume=True)
    assert_same(weights_of(tmp_path / "whole"), weights_of(tmp_path / "parts"))
    losses = [[row["loss"] for row in read_history(tmp_path / run / "log.csv")] for run in ("whole", "parts")]
    assert losses[0] == losses[1]


def test_the_average_follows_the_weights_and_leaves_integers_alone(tiny_recipe: Recipe) -> None:
    model = build("tiny")
    average = averaged(model, 0.99)
    assert average is not None
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(2.0)
    for _ in range(300):
        average.update_parameters(model)
    assert all(torch.allclose(p, torch.tensor(2.0)) for p in average.module.parameters())
    indices = [(a, b) for a, b in zip(average.module.buffers(), model.buffers()) if not b.is_floating_point()]
    assert indices and all(torch.equal(a, b) for a, b in indices)


def test_the_memory_of_the_average_grows_to_its_decay() -> None:
    average, means = moving_average(0.9), [torch.tensor(0.0) for _ in range(3)]
    for mean, count in zip(means, (0, 1, 1000)):
        average([mean], [torch.tensor(1.0)], count)
    assert [mean.item() for mean in means] == pytest.approx([0.9, 9 / 11, 0.1])


def test_without_an_average_the_weights_are_the_networks_own(
    textures: Path, tiny_recipe: Recipe, tmp_path: Path
) -> None:
    recipe = replace(tiny_recipe, optimizer=replace(tiny_recipe.optimizer, ema_decay=0.0))
    train(recipe, textures, tmp_path)
    assert_same(weights_of(tmp_path), read_state_file(tmp_path / STATE_FILE)["network"])


def test_the_best_weights_are_those_of_the_best_evaluation(
    textures: Path, tiny_recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recalls = iter([0.5, 0.25])
    monkeypatch.setattr(Retrieval, "recall_at", lambda self, k: next(recalls) if k == 1 else 1.0)
    train(tiny_recipe, textures, tmp_path)
    assert read_state_file(tmp_path / STATE_FILE)["best_recall"] == 0.5
    best, last = load_weights(tmp_path / BEST_FILE).state_dict(), weights_of(tmp_path)
    assert any(not torch.equal(best[name], last[name]) for name in best)


def test_minutes_plan_the_steps(textures: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    assert train(replace(tiny_recipe, steps=10000), textures, tmp_path, minutes=0.01)
    assert 9 <= len(read_history(tmp_path / "log.csv")) < 10000


def test_the_first_interrupt_only_asks() -> None:
    with Interrupt() as interrupt:
        signal.raise_signal(signal.SIGINT)
        assert interrupt.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_run_folder_is_not_overwritten(textures: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    train(replace(tiny_recipe, steps=1), textures, tmp_path)
    with pytest.raises(TrainingError, match="holds another run"):
        train(tiny_recipe, textures, tmp_path)


def test_what_cannot_be_resumed_is_told(textures: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no checkpoint to resume"):
        train(tiny_recipe, textures, tmp_path, resume=True)
    train(replace(tiny_recipe, steps=1), textures, tmp_path)
    with pytest.raises(TrainingError, match="another 'batch'"):
        train(replace(tiny_recipe, batch=BatchSpec(classes=4)), textures, tmp_path, resume=True)
    (tmp_path / STATE_FILE).write_bytes((tmp_path / STATE_FILE).read_bytes()[:1000])
    with pytest.raises(TrainingError, match="checkpoint is damaged"):
        train(tiny_recipe, textures, tmp_path, resume=True)
    torch.save([1, 2], tmp_path / STATE_FILE)
    with pytest.raises(TrainingError, match="not a training checkpoint"):
        train(tiny_recipe, textures, tmp_path, resume=True)


def test_more_steps_may_be_asked_of_a_finished_run(textures: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    train(replace(tiny_recipe, steps=2), textures, tmp_path)
    assert train(replace(tiny_recipe, steps=4), textures, tmp_path, resume=True)
    assert [row["step"] for row in read_history(tmp_path / "log.csv")] == [1, 2, 3, 4]


def test_workers_give_the_same_batches(textures: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    train(tiny_recipe, textures, tmp_path / "none")
    train(replace(tiny_recipe, workers=2), textures, tmp_path / "two")
    assert_same(weights_of(tmp_path / "none"), weights_of(tmp_path / "two"))


def test_recall_by_hand() -> None:
    retrieval = Retrieval(np.array([0, 0, 1, 4]), places=10)
    assert [retrieval.recall_at(k) for k in (1, 2, 5)] == [0.5, 0.75, 1.0]
    assert retrieval.mean_reciprocal_rank == pytest.approx((1 + 1 + 1 / 2 + 1 / 5) / 4)


def test_evaluate_pairs_ranks_by_similarity() -> None:
    colours = torch.tensor([[255, 0, 0], [0, 255, 0], [0, 0, 255]], dtype=torch.uint8)
    gallery = colours[:, None, None, :].expand(3, 8, 8, 3)
    assert evaluate_pairs(MeanColour(), gallery, gallery).ranks.tolist() == [0, 0, 0]
    assert evaluate_pairs(MeanColour(), gallery, gallery[[1, 0, 2]]).recall_at(1) == pytest.approx(1 / 3)


def test_embeddings_that_tell_nothing_apart_find_nothing() -> None:
    images = torch.zeros(3, 8, 8, 3, dtype=torch.uint8)
    assert evaluate_pairs(MeanColour(), images, images).ranks.tolist() == [2, 2, 2]

    class Broken(MeanColour):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return super().forward(images) * torch.nan

    with pytest.raises(TrainingError, match="not finite; the weights are damaged"):
        evaluate_pairs(Broken(), images, images)


def test_evaluation_needs_held_out_places(textures: Path, tiny_recipe: Recipe) -> None:
    assert tiny_recipe.data.orthophotos is not None
    sources = tiny_recipe.data.orthophotos.sources[:1]
    recipe = replace(tiny_recipe, data=DataSpec(orthophotos=replace(tiny_recipe.data.orthophotos, sources=sources)))
    with pytest.raises(TrainingError, match="no two held-out places"):
        evaluate_held_out(build("tiny"), recipe, textures, 64)


def test_the_log_drops_rows_after_the_resumed_step(tmp_path: Path) -> None:
    history = History(tmp_path)
    for step in (1, 2, 3):
        history.append({"step": step, "loss": 1.0 / step})
    with (tmp_path / "log.csv").open("a") as file:
        file.write("4,0.2")
    assert [row["step"] for row in History(tmp_path, resume_step=2).rows] == [1, 2]
    assert read_history(tmp_path / "log.csv") == [{"step": 1.0, "loss": 1.0}, {"step": 2.0, "loss": 0.5}]
    assert plot_curves(History(tmp_path, 2), tmp_path).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "damaged", [b"3,0.2,0\n", b"3,0.x" + 15 * b"," + b"\n", b"\0\0\0\n", b"\xff\xfe\n", b"," * 16 + b"\n"]
)
def test_the_log_ends_before_its_first_damaged_row(tmp_path: Path, damaged: bytes) -> None:
    history = History(tmp_path)
    for step in (1, 2):
        history.append({"step": step, "loss": 1.0})
    with (tmp_path / "log.csv").open("ab") as file:
        file.write(damaged)
    history.append({"step": 4, "loss": 1.0})
    assert [row["step"] for row in read_history(tmp_path / "log.csv")] == [1, 2]
    assert [row["step"] for row in History(tmp_path, resume_step=4).rows] == [1, 2]


def test_commands_train_and_evaluate(
    textures: Path, tiny_recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training.commands import app

    path = tmp_path / "tiny.yaml"
    path.write_text(
        "{name: tiny, variant: tiny, steps: 2, batch: {classes: 4}, loss: {infonce: 1.0}, evaluation: {side_m: 40.0},"
        " data: {orthophotos: {views: {side_m: [30.0, 50.0], least_px: 16.0},"
        " sources: [{images: '[0-6].png', gsd_m: 0.5}, {images: 7.png, gsd_m: 0.5, hold_out_every: 1}]}}}"
    )
    run_dir, runner = tmp_path / "run", CliRunner()
    trained = runner.invoke(app, ["run", str(path), "--data", str(textures), "--out", str(run_dir)])
    assert trained.exit_code == 0 and "trained" in trained.output
    arguments = ["evaluate", str(run_dir / WEIGHTS_FILE), "--data", str(textures), "--recipe", str(path)]
    evaluated = runner.invoke(app, arguments)
    assert evaluated.exit_code == 0 and "25 held-out places  recall@1 " in evaluated.output
    moved: list[str] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(Network, "to", lambda self, device: moved.append(device) or self)
    assert runner.invoke(app, arguments).output == evaluated.output and moved == ["cuda"]
