"""What a training step costs on this machine: images per second, where the time goes, share of the matrix rate."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from training.data.batch import Share
from training.loop.failures import step_told
from training.loop.fetch import check_shared_memory, fetch
from training.loop.memory import keep_freed_memory
from training.loop.objective import CPU_CHUNK, Objective
from training.loop.processes import make_accelerator
from training.loop.state import TrainState
from training.loop.stepper import Stepper
from training.loop.training_data import TrainingData, open_training_data
from training.model.build import build_network
from training.model.cost import count_flops
from training.recipes.schema import Recipe

BACKWARD_FLOPS = 2
"""Of those of the forward pass: one product for the gradient of the input, one for that of the weight."""
MATRIX_SIDE = 2048


@dataclass
class StepTimes:
    """Seconds of each step by part; `wait` is for its batch, `update` optimizer and moving average."""

    label: str
    images: int
    parts: dict[str, list[float]] = field(
        default_factory=lambda: {name: [] for name in ("wait", "forward", "backward", "update")}
    )

    @property
    def seconds(self) -> float:
        """Median of a whole step."""
        return median(map(sum, zip(*self.parts.values(), strict=True)))

    @property
    def images_per_s(self) -> float:
        """Both views counted."""
        return self.images / self.seconds

    def share(self, part: str) -> float:
        """Part of all the time."""
        return sum(self.parts[part]) / sum(map(sum, self.parts.values()))


class _Clock:
    """Laps of one step, taken where a device has done what it was given."""

    def __init__(self, times: StepTimes, device: torch.device) -> None:
        self._times, self._device = times, device
        self._last = time.perf_counter()

    def lap(self, part: str) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        now = time.perf_counter()
        self._times.parts[part].append(now - self._last)
        self._last = now


def time_steps(recipe: Recipe, data: Path, steps: int) -> list[StepTimes]:
    """A plain float32 step, then the recipe's own in float32 and in bfloat16, each over the same `steps` batches.

    Plain: eager, the whole batch at once and prepared in the same process just before it, memory as the system has it.
    One step of each goes untimed. Raises TrainingError where the memory does not hold a step.
    """
    size = build_network(recipe.variant, recipe.method, recipe.network).config.input_size
    share = Share(passes=recipe.batch.accumulate)
    check_shared_memory(recipe, size, share)
    material = open_training_data(recipe, data, size, share)
    plain = replace(recipe, workers=0, precision="float32", batch=replace(recipe.batch, accumulate=1))
    with step_told(plain.batch, more_passes=False):
        results = [
            _time("plain float32", plain, material, steps, cpu_chunk=2 * plain.batch.classes * plain.batch.per_class)
        ]
    keep_freed_memory()
    with step_told(recipe.batch):
        for precision in ("float32", "bfloat16"):
            results.append(_time(precision, replace(recipe, precision=precision), material, steps))
    return results


def _time(label: str, recipe: Recipe, material: TrainingData, steps: int, cpu_chunk: int = CPU_CHUNK) -> StepTimes:
    torch.manual_seed(recipe.seed)
    accelerator = make_accelerator()
    network = build_network(recipe.variant, recipe.method, recipe.network).to(accelerator.device)
    state = TrainState.fresh(network, recipe, material.source.classes, steps + 1)
    stepper = Stepper(state, recipe, material.source.epoch_steps, accelerator)
    stepper.objective.cpu_chunk = cpu_chunk
    times = StepTimes(label, 0)
    clock = _Clock(times, accelerator.device)
    _watch(stepper.objective, state.optimizer, clock)
    for batch in fetch(material.source, 0, steps + 1, recipe.workers, pin_memory=accelerator.device.type == "cuda"):
        clock.lap("wait")
        times.images = 2 * len(batch.labels)
        stepper.step(batch)
        clock.lap("update")
    parts = {name: _by_step(laps, steps + 1)[1:] for name, laps in times.parts.items()}
    return replace(times, parts=parts)


def _watch(objective: Objective, optimizer: torch.optim.Optimizer, clock: _Clock) -> None:
    """Take laps at the ends of the forward and the backward pass."""

    def forward_ended(module: nn.Module, inputs: Any, result: Any) -> None:
        clock.lap("forward")

    def backward_ended(*ignored: Any) -> None:
        clock.lap("backward")

    objective.register_forward_hook(forward_ended)
    objective.register_forward_pre_hook(backward_ended)  # of the pass before; the first one has only moved the batch
    optimizer.register_step_pre_hook(backward_ended)


def _by_step(laps: list[float], steps: int) -> list[float]:
    """Laps of one part, several to a step, summed."""
    each = len(laps) // steps
    return [sum(laps[each * step : each * (step + 1)]) for step in range(steps)]


def step_flops(recipe: Recipe, images: int) -> int:
    """Floating-point operations of forward and backward pass, a multiply-add counted as two."""
    network = build_network(recipe.variant, recipe.method, recipe.network)
    return (1 + BACKWARD_FLOPS) * count_flops(network)[""] * images


@torch.no_grad()
def matrix_rate(precision: torch.dtype, device: torch.device, rounds: int = 8) -> float:
    """Operations per second of a product of square matrices of MATRIX_SIDE, median."""
    left, right = (torch.randn(MATRIX_SIDE, MATRIX_SIDE, device=device).to(precision) for _ in range(2))
    seconds = [_timed(left, right) for _ in range(rounds + 1)]
    return float(2 * MATRIX_SIDE**3 / median(seconds[1:]))


def _timed(left: Tensor, right: Tensor) -> float:
    started = time.perf_counter()
    product = left @ right
    if product.is_cuda:
        torch.cuda.synchronize(product.device)
    return time.perf_counter() - started
