"""Update rules: which parameters a recipe updates how fast, and which of them decay."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from training.loop.schedule import rate_factor
from training.model.network import Network
from training.recipes.schema import OptimizerKind, OptimizerSpec, Recipe

BACKBONE_PREFIX = "stages."
"""Of the names of the parameters that hold the initial weights."""
ADAMW_BETAS = (0.9, 0.98)
"""A shorter memory of squared gradients than the default 0.999: the spikes of transformers die down sooner."""


def make_optimizer(network: Network, loss: nn.Module, recipe: Recipe) -> Optimizer:
    """SGD or AdamW over network and loss, in groups by rate and decay; each group carries its "peak" rate.

    SGD decays every parameter, norms and biases too, and looks ahead after Nesterov: the paper gives momentum and
    decay alone (section 4.2), the code family of the released MIFT does both (FSRA, optimizers/make_optimizer.py).
    AdamW decays the weights of linear layers and convolutions, not biases, norms and tables of position bias. The
    temperature, the only scalar, never decays.
    """
    spec = recipe.optimizer
    groups = _groups(network, loss, spec)
    if spec.kind is OptimizerKind.SGD:
        return SGD(groups, lr=spec.learning_rate, momentum=spec.momentum, nesterov=spec.momentum > 0)
    return AdamW(groups, lr=spec.learning_rate, betas=ADAMW_BETAS)


def set_rates(optimizer: Optimizer, recipe: Recipe, step: int, steps: int, epoch_steps: int) -> None:
    """Give every group of an optimizer of `make_optimizer` its rate of a step; see rate_factor."""
    factor = rate_factor(recipe.schedule, step, steps, epoch_steps)
    for group in optimizer.param_groups:
        group["lr"] = factor * group["peak"]


def _groups(network: Network, loss: nn.Module, spec: OptimizerSpec) -> list[dict[str, Any]]:
    backbone_rate = spec.backbone_learning_rate or spec.learning_rate
    members: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in (*network.named_parameters(), *loss.named_parameters()):
        rate = backbone_rate if name.startswith(BACKBONE_PREFIX) else spec.learning_rate
        decay = spec.weight_decay if _decays(name, parameter, spec.kind) else 0.0
        members.setdefault((rate, decay), []).append(parameter)
    return [
        {"params": parameters, "lr": rate, "peak": rate, "weight_decay": decay}
        for (rate, decay), parameters in members.items()
    ]


def _decays(name: str, parameter: nn.Parameter, kind: OptimizerKind) -> bool:
    if kind is OptimizerKind.SGD:
        return parameter.ndim > 0
    return parameter.ndim > 1 and name.endswith(".weight")
