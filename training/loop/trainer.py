"""The training loop: resumable, interruptible, watched."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mift_ros.errors import TrainingError
from training.checkpoint import save_weights
from training.data.orthophotos.batches import Pairs, TrainingBatches, held_out_pairs
from training.data.orthophotos.imagery import load_imagery
from training.evaluation.held_out import evaluate_pairs
from training.loop.history import History
from training.loop.interrupt import Interrupt
from training.loop.plots import plot_curves
from training.loop.preprocess import normalise
from training.loop.progress import TrainingProgress
from training.loop.schedule import PROBE_STEPS, learning_rate, planned_steps
from training.loop.state import STATE_FILE, TrainState
from training.model.mift import Mift, build
from training.model.network import join_branches
from training.recipes.schema import Recipe

WEIGHTS_FILE = "weights.safetensors"
CHUNK = 32
"""Images the stages take at once: their activations stay near the caches. What follows sees the whole batch, since
batch normalisation over a part of it would tell which pairs sit together."""


@dataclass(frozen=True)
class StepResult:
    """Loss of a step, and the share of its drone views nearest to their own map view."""

    loss: float
    batch_recall: float


def train(recipe: Recipe, data: Path, run_dir: Path, minutes: float | None = None, resume: bool = False) -> bool:
    """Run a recipe into run_dir: weights (moving average), state, log and curves; True when it reached its end.

    minutes: plan the steps so that the run takes this long instead of the recipe's steps; resume: go on from run_dir.
    The first Ctrl-C saves and returns False. Raises TrainingError for missing data, a diverging loss and a run folder
    that cannot be used.
    """
    torch.manual_seed(recipe.seed)
    torch.set_flush_denormal(True)
    model = build(recipe.variant)
    state = TrainState.fresh(model, recipe)
    state_path = run_dir / STATE_FILE
    if resume:
        state.restore(state_path, recipe)
    elif state_path.exists():
        raise TrainingError(f"{run_dir}: holds another run; go on with --resume or choose a new --out folder")
    size = model.config.input_size
    if run_dir.exists() and not run_dir.is_dir():
        raise TrainingError(f"{run_dir}: not a folder; choose another --out")
    spec = recipe.data.orthophotos
    if spec is None:
        raise TrainingError(f"recipe {recipe.name}: multi-view data cannot be trained on yet")
    images = load_imagery(data, spec.sources, spec.views.finest_gsd_m)
    run_dir.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(state, recipe, run_dir, held_out_pairs(images, recipe, size))
    return trainer.run(TrainingBatches(images, recipe, size), minutes)


class Trainer:
    """Steps, log, evaluation and checkpoints of one run."""

    def __init__(self, state: TrainState, recipe: Recipe, run_dir: Path, held_out: Pairs) -> None:
        """held_out: map and drone views of the evaluation places; none are evaluated when there are fewer than two."""
        self.state = state
        self.recipe = recipe
        self.run_dir = run_dir
        self.held_out = held_out
        self.history = History(run_dir, state.step)
        self._saved_at = time.monotonic()

    def run(self, batches: TrainingBatches, minutes: float | None = None) -> bool:
        """Train to the planned step, or to the first Ctrl-C; saves in both cases."""
        started, first = time.monotonic(), self.state.step
        with Interrupt() as interrupt, TrainingProgress(self.state.steps, self.state.step) as progress:
            began = started
            for maps, drones in self._stream(batches):
                result = self.step(maps, drones)
                step_s = time.monotonic() - began
                self.state.trained_s += step_s
                if minutes is not None and self.state.step == first + PROBE_STEPS:
                    spent_s = time.monotonic() - started
                    self.state.steps = planned_steps(self.state.step, spent_s / PROBE_STEPS, minutes - spent_s / 60.0)
                self._log(result, 2 * len(maps) / step_s, progress)
                if interrupt.requested:
                    break
                began = time.monotonic()
        self.save()
        plot_curves(self.history, self.run_dir)
        return self.state.step >= self.state.steps

    def step(self, maps: Tensor, drones: Tensor) -> StepResult:
        """One optimizer step on uint8 views [B, S, S, 3]; raises TrainingError when the loss is not finite."""
        state, spec = self.state, self.recipe.optimizer
        rate = learning_rate(state.step, state.steps, self.recipe.schedule.warmup_steps, spec.learning_rate)
        for group in state.optimizer.param_groups:
            group["lr"] = rate
        state.model.train()
        state.optimizer.zero_grad(set_to_none=True)
        gallery, queries = self._branches(torch.cat([maps, drones])).chunk(2)
        loss = state.loss(queries, gallery)
        if not math.isfinite(loss.item()):
            raise TrainingError(f"the loss is {loss.item()} at step {state.step}; lower optimizer.learning_rate")
        loss.backward()
        nn.utils.clip_grad_norm_(state.model.parameters(), spec.clip_norm)
        state.optimizer.step()
        state.average.update_parameters(state.model)
        state.step += 1
        with torch.no_grad():
            similarity = join_branches(queries) @ join_branches(gallery).T
            hits = similarity.argmax(dim=1) == torch.arange(len(queries))
        return StepResult(loss.item(), hits.float().mean().item())

    def evaluate(self) -> tuple[float, float]:
        """Recall@1 and @5 of the averaged weights among the held-out places."""
        retrieval = evaluate_pairs(self.state.average.module, *self.held_out)
        return retrieval.recall_at(1), retrieval.recall_at(5)

    def save(self) -> None:
        """Write the state and the averaged weights."""
        self.state.save(self.run_dir / STATE_FILE, self.recipe)
        averaged = self.state.average.module
        if isinstance(averaged, Mift):
            save_weights(self.run_dir / WEIGHTS_FILE, averaged, self.recipe.name)
        self._saved_at = time.monotonic()

    def _branches(self, images: Tensor) -> Tensor:
        model = self.state.model
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.precision == "bfloat16"):
            chunks = [model.features(normalise(chunk)) for chunk in torch.split(images, CHUNK)]
            stages = [torch.cat(parts) for parts in zip(*chunks, strict=True)]
            return model.describe(stages).float()

    def _stream(self, batches: TrainingBatches) -> Iterator[Pairs]:
        while self.state.step < self.state.steps:
            sampler = range(self.state.step, self.state.steps)
            loader = DataLoader(batches, batch_size=None, sampler=sampler, num_workers=self.recipe.workers)
            for pair in loader:
                yield pair
                if self.state.step >= self.state.steps:
                    return

    def _log(self, result: StepResult, rate: float, progress: TrainingProgress) -> None:
        progress.update(self.state, result.loss, result.batch_recall, rate)
        row = {
            "step": self.state.step,
            "loss": result.loss,
            "batch_recall": result.batch_recall,
            "learning_rate": self.state.optimizer.param_groups[0]["lr"],
            "images_per_s": rate,
            "temperature": math.exp(-self.state.loss.log_scale.item()),
        }
        ends = self.state.step >= self.state.steps
        if len(self.held_out[0]) > 1 and (ends or self.state.step % self.recipe.evaluation.every_steps == 0):
            row["recall_1"], row["recall_5"] = self.evaluate()
            progress.recall(self.state.step, row["recall_1"], row["recall_5"])
        self.history.append(**row)
        if time.monotonic() - self._saved_at > 60.0 * self.recipe.checkpoint_minutes:
            self.save()
