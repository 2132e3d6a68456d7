"""Everything a run needs to go on exactly where it was: one file, written to a temporary name and renamed."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.optim.swa_utils import AveragedModel

from mift_ros.errors import TrainingError
from training.losses.info_nce import PairLoss
from training.model.mift import Mift
from training.recipes.schema import Recipe

STATE_FILE = "state.pt"
RESUMABLE_CHANGES = ("steps", "checkpoint_minutes", "workers", "evaluation")
"""Keys of the recipe that may differ between a run and its continuation."""


@dataclass
class TrainState:
    """Network, its moving average, loss (with temperature), optimizer, and the number of steps done and planned."""

    model: Mift
    average: AveragedModel
    loss: PairLoss
    optimizer: Optimizer
    step: int
    steps: int
    trained_s: float = 0.0

    @classmethod
    def fresh(cls, model: Mift, recipe: Recipe) -> TrainState:
        """The state before the first step."""
        loss = PairLoss(recipe.loss.branch_weight, recipe.loss.label_smoothing)
        average = AveragedModel(model, avg_fn=moving_average(recipe.optimizer.ema_decay), use_buffers=True)
        return cls(model, average, loss, make_optimizer(model, loss, recipe), 0, recipe.steps)

    def save(self, path: Path, recipe: Recipe) -> None:
        """Write all of it, random number generator included."""
        content = {
            "recipe": recipe.to_dict(),
            "step": self.step,
            "steps": self.steps,
            "trained_s": self.trained_s,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "loss": self.loss.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": torch.get_rng_state(),
        }
        temporary = path.with_suffix(".tmp")
        torch.save(content, temporary)
        temporary.replace(path)

    def restore(self, path: Path, recipe: Recipe) -> None:
        """Continue from a file of `save`; raises TrainingError for a damaged file or another recipe's."""
        content = _read(path)
        _same_recipe(content["recipe"], recipe.to_dict(), path)
        try:
            self.model.load_state_dict(content["model"])
            self.average.load_state_dict(content["average"])
            self.loss.load_state_dict(content["loss"])
            self.optimizer.load_state_dict(content["optimizer"])
        except (RuntimeError, ValueError) as error:
            raise TrainingError(f"{path}: the checkpoint is of another network; start a new run folder") from error
        self.step, self.trained_s = content["step"], content["trained_s"]
        replanned = content["recipe"]["steps"] != recipe.steps
        self.steps = recipe.steps if replanned else content["steps"]
        torch.set_rng_state(content["generator"])


def moving_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """Exponential average whose memory starts short, so that it forgets the untrained weights at once.

    Integer buffers, such as an index of relative positions, are taken over: averaged, they would round downwards.
    """

    def average(mean: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        if not current.is_floating_point():
            return current
        kept = min(decay, (1.0 + float(count)) / (10.0 + float(count)))
        return kept * mean + (1.0 - kept) * current

    return average


def make_optimizer(model: nn.Module, loss: nn.Module, recipe: Recipe) -> Optimizer:
    """AdamW; matrices and kernels decay, biases, norms and the temperature do not."""
    decayed = [p for p in model.parameters() if p.ndim >= 2]
    free = [p for p in model.parameters() if p.ndim < 2] + list(loss.parameters())
    spec = recipe.optimizer
    groups = [{"params": decayed, "weight_decay": spec.weight_decay}, {"params": free, "weight_decay": 0.0}]
    return AdamW(groups, lr=spec.learning_rate, betas=(0.9, 0.98))


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise TrainingError(f"{path}: no checkpoint to resume; start the run without --resume")
    try:
        content: dict[str, Any] = torch.load(path, weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
        raise TrainingError(f"{path}: the checkpoint is damaged; start a new run folder") from error
    if not isinstance(content, dict) or "recipe" not in content:
        raise TrainingError(f"{path}: not a training checkpoint; start a new run folder")
    return content


def _same_recipe(stored: dict[str, Any], current: dict[str, Any], path: Path) -> None:
    changed = [key for key in current if key not in RESUMABLE_CHANGES and stored.get(key) != current[key]]
    if changed:
        raise TrainingError(f"{path}: the run was started with another '{changed[0]}'; resume with its own recipe")
