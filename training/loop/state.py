"""Everything a run needs to go on exactly where it was: one file, written to a temporary name and renamed."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from mift_ros.errors import TrainingError
from mift_ros.files import replacing
from training.data.batch import Share
from training.loop.average import averaged
from training.loop.generators import generator_states, set_generator_states
from training.loop.optimizers import make_optimizer
from training.losses.combined import CrossViewLoss
from training.model.network import Network
from training.recipes.schema import Recipe

STATE_FILE = "state.pt"
RESUMABLE_CHANGES = ("steps", "epochs", "checkpoint_minutes", "checkpoint_steps", "workers", "evaluation")
"""Keys of the recipe that may differ between a run and its continuation."""


@dataclass
class TrainState:
    """Network, its moving average, loss with its parameters, optimizer, and the numbers of steps done and planned.

    average: None where the recipe keeps none; best_recall: largest recall@1 so far, below 0 before the first
    evaluation; neighbours: mined hard negatives [classes, K], nearest first.
    """

    network: Network
    average: AveragedModel | None
    loss: CrossViewLoss
    optimizer: Optimizer
    steps: int
    step: int = 0
    trained_s: float = 0.0
    best_recall: float = -1.0
    neighbours: Tensor | None = None

    @classmethod
    def fresh(cls, network: Network, recipe: Recipe, classes: int, steps: int) -> TrainState:
        """The state before the first step, on the network's device; classes: of the training set, 0 without any."""
        loss = CrossViewLoss(recipe.loss, network.branch_count, network.config.head_dim, classes)
        loss.to(next(network.parameters()).device)
        average = averaged(network, recipe.optimizer.ema_decay)
        return cls(network, average, loss, make_optimizer(network, loss, recipe), steps)

    @property
    def result(self) -> Network:
        """What the run is for: the average where there is one, else the network."""
        if self.average is None:
            return self.network
        average: Network = self.average.get_submodule("module")  # type: ignore[assignment]
        return average

    def content(self, recipe: Recipe) -> dict[str, Any]:
        """All of it, random number generators of every process included; every process calls this."""
        return {
            "recipe": recipe.to_dict(),
            "step": self.step,
            "steps": self.steps,
            "trained_s": self.trained_s,
            "best_recall": self.best_recall,
            "neighbours": self.neighbours,
            "network": self.network.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "loss": self.loss.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generators": generator_states(next(self.network.parameters()).device),
        }

    def restore(self, path: Path, recipe: Recipe, share: Share) -> None:
        """Continue from a file of `write_state`; raises TrainingError for a damaged file or another recipe's."""
        content = read_state_file(path)
        _same_recipe(content["recipe"], recipe.to_dict(), path)
        try:
            self.network.load_state_dict(content["network"])
            self.loss.load_state_dict(content["loss"])
            self.optimizer.load_state_dict(content["optimizer"])
            if self.average is not None:
                self.average.load_state_dict(content["average"])
        except (RuntimeError, ValueError) as error:
            raise TrainingError(f"{path}: the checkpoint is of another network; start a new run folder") from error
        self.step, self.trained_s = content["step"], content["trained_s"]
        self.best_recall, self.neighbours = content["best_recall"], content["neighbours"]
        replanned = any(content["recipe"][key] != getattr(recipe, key) for key in ("steps", "epochs"))
        self.steps = self.steps if replanned else content["steps"]
        set_generator_states(content["generators"], share)


def write_state(path: Path, content: dict[str, Any]) -> None:
    """Replace the checkpoint, or leave the old one where it was when this fails."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        torch.save(content, file)  # to a file of Python's, whose errors say why; PyTorch's own do not


def read_state_file(path: Path) -> dict[str, Any]:
    """Content of a checkpoint, on the CPU; raises TrainingError where it is missing, damaged or something else."""
    if not path.is_file():
        raise TrainingError(f"{path}: no checkpoint to resume; start the run without --resume")
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
        raise TrainingError(f"{path}: the checkpoint is damaged; start a new run folder") from error
    if not isinstance(content, dict) or "recipe" not in content or "generators" not in content:
        raise TrainingError(f"{path}: not a training checkpoint; start a new run folder")
    return content


def _same_recipe(stored: dict[str, Any], current: dict[str, Any], path: Path) -> None:
    changed = [key for key in current if key not in RESUMABLE_CHANGES and stored.get(key) != current[key]]
    if changed:
        raise TrainingError(f"{path}: the run was started with another '{changed[0]}'; resume with its own recipe")
