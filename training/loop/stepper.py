"""One optimizer step over all processes."""

from __future__ import annotations

import math
from contextlib import nullcontext

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from mift_ros.errors import TrainingError
from training.data.batch import Batch
from training.loop.batch_norm import share_batch_norm
from training.loop.objective import Objective
from training.loop.optimizers import set_rates
from training.loop.processes import process_count
from training.loop.state import TrainState
from training.recipes.schema import Recipe


class Stepper:
    """Forward and backward passes, gradient, optimizer and moving average."""

    def __init__(self, state: TrainState, recipe: Recipe, epoch_steps: int, accelerator: Accelerator) -> None:
        """epoch_steps: of the source, for the schedule's milestones."""
        self._state = state
        self._recipe = recipe
        self._epoch_steps = epoch_steps
        self._accelerator = accelerator
        if process_count() > 1:
            share_batch_norm(state.network, accelerator.device)
        self.objective = Objective(state.network, state.loss, recipe.precision)
        self._distributed: nn.Module = accelerator.prepare_model(self.objective)

    def step(self, batch: Batch) -> dict[str, float]:
        """Train on this process's rows; the loss, its terms and the recall within the batch, over all rows.

        Raises TrainingError when the loss or its gradient is not finite; network and optimizer stay as they were.
        """
        state, recipe = self._state, self._recipe
        set_rates(state.optimizer, recipe, state.step, state.steps, self._epoch_steps)
        state.network.train()
        state.optimizer.zero_grad(set_to_none=True)
        results = self._passes(self._on_device(batch))
        norm = nn.utils.clip_grad_norm_(state.network.parameters(), recipe.optimizer.clip_norm or math.inf)
        measured = {name: value.item() for name, value in results.items()}
        self._refuse("loss", measured["loss"])
        self._refuse("gradient", norm.item())
        state.optimizer.step()
        state.loss.bound()
        if state.average is not None:
            state.average.update_parameters(state.network)
        state.step += 1
        return measured

    def _passes(self, batch: Batch) -> dict[str, Tensor]:
        """Accumulate gradients; the mean of what the objective gives."""
        passes = self._recipe.batch.accumulate
        parts = [Batch(*rows) for rows in zip(*(view.chunk(passes) for view in batch), strict=True)]
        outcomes: list[dict[str, Tensor]] = []
        for index, part in enumerate(parts):
            together = nullcontext() if index + 1 == len(parts) else self._accelerator.no_sync(self._distributed)
            with together:
                outcome = self._distributed(*part)
                (outcome["loss"] / len(parts)).backward()
            outcomes.append({name: value.detach() for name, value in outcome.items()})
        return {name: torch.stack([outcome[name] for outcome in outcomes]).mean() for name in outcomes[0]}

    def _on_device(self, batch: Batch) -> Batch:
        return Batch(*(rows.to(self._accelerator.device, non_blocking=True) for rows in batch))

    def _refuse(self, what: str, value: float) -> None:
        if not math.isfinite(value):
            raise TrainingError(
                f"the {what} is {value} at step {self._state.step}; begin a new --out with a lower "
                f"optimizer.learning_rate, from the last checkpoint by --init RUN/weights.safetensors if that is good"
            )
