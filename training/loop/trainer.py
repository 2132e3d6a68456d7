"""The training loop: resumable, interruptible, watched, on any number of processes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import torch
from accelerate import Accelerator

from mift_ros.errors import TrainingError
from training.checkpoint import save_weights
from training.data.batch import Batch, Share
from training.loop.failures import disk_told, step_told
from training.loop.fetch import BatchError, check_shared_memory, fetch
from training.loop.generators import seed_process
from training.loop.initial import is_exported, load_initial
from training.loop.interrupt import Interrupt
from training.loop.memory import keep_freed_memory
from training.loop.mining import Mineable, mining_is_due, nearest_classes, next_mining
from training.loop.preprocess import normalise
from training.loop.processes import Decision, agree, from_main, make_accelerator, process_count
from training.loop.run_dir import check_run_dir, claimed, record_start
from training.loop.schedule import Probe
from training.loop.settle import settle
from training.loop.state import STATE_FILE, TrainState, write_state
from training.loop.stepper import Stepper
from training.loop.training_data import TrainingData, open_training_data, planned_by
from training.loop.watch import Watch
from training.model.build import build_network
from training.recipes.schema import Recipe

WEIGHTS_FILE = "weights.safetensors"
BEST_FILE = "best.safetensors"


def train(
    recipe: Recipe,
    data: Path,
    run_dir: Path,
    minutes: float | None = None,
    resume: bool = False,
    init: Path | None = None,
) -> bool:
    """Run a recipe into run_dir; True when it reached its end.

    There are then: the weights (their moving average where the recipe keeps one) of the last step and of the best
    evaluation, the state, run.json, log, TensorBoard scalars and curves.

    minutes: plan the steps so that the run takes this long instead of the recipe's length; resume: go on from run_dir;
    init: weights to begin with. The first Ctrl-C saves and returns False. Raises TrainingError for data, weights and
    run folders that cannot be used, a loss that is not finite, too little memory and a full disk.
    """
    if init is not None and resume:
        raise TrainingError(f"{run_dir}: goes on with its own weights; leave out --init or --resume")
    accelerator = make_accelerator()
    with ExitStack() as stack:
        if accelerator.is_main_process:
            check_run_dir(run_dir, resume)
            stack.enter_context(claimed(run_dir))
        trainer = _prepare(recipe, data, run_dir, accelerator, resume, init)
        if accelerator.is_main_process:
            with disk_told(run_dir, trainer.saved_step):
                record_start(run_dir, recipe, trainer.state.step, data, accelerator.device, process_count())
        return trainer.run(minutes)


def _prepare(
    recipe: Recipe, data: Path, run_dir: Path, accelerator: Accelerator, resume: bool, init: Path | None
) -> Trainer:
    torch.set_flush_denormal(True)
    keep_freed_memory()
    torch.manual_seed(recipe.seed)
    network = build_network(recipe.variant, recipe.method, recipe.network)
    if init is not None:
        unmatched = load_initial(init, network)
        if unmatched and accelerator.is_main_process:
            print(f"{init}: keys without a partner, which are left out or as they were: {', '.join(unmatched)}")
    network.to(accelerator.device)
    share = Share(accelerator.process_index, process_count(), recipe.batch.accumulate)
    check_shared_memory(recipe, network.config.input_size, share)
    material = open_training_data(recipe, data, network.config.input_size, share)
    if init is not None and is_exported(init):
        first = material.source[0]
        settle(network, normalise(torch.cat([first.satellite, first.drone]).to(accelerator.device)))
    state = TrainState.fresh(network, recipe, material.source.classes, planned_by(recipe, material.source))
    seed_process(recipe.seed, share)
    if resume:
        state.restore(run_dir / STATE_FILE, recipe, share)
    return Trainer(state, recipe, run_dir, material, accelerator)


class Trainer:
    """Steps, evaluation, mining and checkpoints of one run."""

    def __init__(
        self, state: TrainState, recipe: Recipe, run_dir: Path, material: TrainingData, accelerator: Accelerator
    ) -> None:
        self.state = state
        self.recipe = recipe
        self.run_dir = run_dir
        self.source, self.evaluation = material.source, material.evaluation
        self.is_main, self.device = accelerator.is_main_process, accelerator.device
        self.saved_step = state.step or None
        self._saved_at = time.monotonic()
        self._stepper = Stepper(state, recipe, self.source.epoch_steps, accelerator)
        if state.neighbours is not None:
            self.source.mine(state.neighbours.numpy())

    def run(self, minutes: float | None = None) -> bool:
        """Train to the planned step, or to the first Ctrl-C; saves in both cases."""
        with ExitStack() as stack:
            interrupt = stack.enter_context(Interrupt())
            stack.enter_context(step_told(self.recipe.batch))
            with disk_told(self.run_dir, self.saved_step):
                watch = stack.enter_context(Watch(self.run_dir, self.state)) if self.is_main else None
            try:
                self._steps(interrupt, watch, minutes)
            except BatchError:
                if process_count() == 1:
                    self.save()
                raise
            self.save()
            if watch is not None:
                with disk_told(self.run_dir, self.saved_step):
                    watch.finish()
        return self.state.step >= self.state.steps

    def save(self) -> None:
        """Write the state and the weights; every process calls this."""
        content = self.state.content(self.recipe)
        if self.is_main:
            with disk_told(self.run_dir, self.saved_step):
                write_state(self.run_dir / STATE_FILE, content)
                self.saved_step = self.state.step
                save_weights(self.run_dir / WEIGHTS_FILE, self.state.result, self.recipe.name)
        self._saved_at = time.monotonic()

    def _steps(self, interrupt: Interrupt, watch: Watch | None, minutes: float | None) -> None:
        probe = Probe(minutes, self.state.step, self.recipe.workers)
        for batch, waited_s in self._batches():
            began = time.monotonic()
            measured = self._stepper.step(batch)
            step_s = waited_s + time.monotonic() - began
            self.state.trained_s += step_s
            self.state.steps = probe.steps(self.state.step, self.state.steps)
            decision = agree(Decision(interrupt.requested, self._save_is_due(), self.state.steps), self.device)
            self.state.steps = decision.steps
            if watch is not None:
                self._tell(watch, measured, 2 * len(batch.labels) * process_count() / step_s, waited_s / step_s)
            if decision.save:
                self.save()
            if decision.stop:
                return

    def _batches(self) -> Iterator[tuple[Batch, float]]:
        """Batches of the steps to come, and the seconds waited for each."""
        while self.state.step < self.state.steps:
            if mining_is_due(self.recipe, self.source, self.state.step):
                self._mine()
            end = min(next_mining(self.recipe, self.source, self.state.step) or self.state.steps, self.state.steps)
            began = time.monotonic()
            for batch in fetch(self.source, self.state.step, end, self.recipe.workers, self.device.type == "cuda"):
                yield batch, time.monotonic() - began
                if self.state.step >= self.state.steps:
                    return
                began = time.monotonic()

    def _mine(self) -> None:
        """Hard negatives by the main process's embeddings, for all processes; part of the state."""
        assert isinstance(self.source, Mineable) and self.recipe.data.multiview is not None
        count = min(self.recipe.data.multiview.neighbours, self.source.classes - 1)
        found = torch.zeros(self.source.classes, count, dtype=torch.int64)
        if self.is_main:
            found = nearest_classes(self.state.result, self.source, count)
        self.state.neighbours = from_main(found.to(self.device)).cpu()
        self.source.mine(self.state.neighbours.numpy())

    def _save_is_due(self) -> bool:
        every = self.recipe.checkpoint_steps
        late = self.is_main and time.monotonic() - self._saved_at > 60.0 * self.recipe.checkpoint_minutes
        return late or bool(every and self.state.step % every == 0)

    def _tell(self, watch: Watch, measured: dict[str, float], images_per_s: float, data_wait: float) -> None:
        row = {
            "step": self.state.step,
            **measured,
            "learning_rate": max(group["lr"] for group in self.state.optimizer.param_groups),
            "images_per_s": images_per_s,
            "data_wait": data_wait,
        }
        if self.state.loss.temperature is not None:
            row["temperature"] = self.state.loss.temperature.item()
        evaluated = self._evaluate()
        with disk_told(self.run_dir, self.saved_step):
            watch.note(row, evaluated)

    def _evaluate(self) -> dict[str, float]:
        """Retrieval where it is due, else nothing; keeps the best weights."""
        due = self.state.step % self.recipe.evaluation.every_steps == 0 or self.state.step >= self.state.steps
        if self.evaluation is None or not due:
            return {}
        measured = self.evaluation(self.state.result)
        if measured["recall_1"] > self.state.best_recall:
            self.state.best_recall = measured["recall_1"]
            with disk_told(self.run_dir, self.saved_step):
                save_weights(self.run_dir / BEST_FILE, self.state.result, self.recipe.name)
        return measured
