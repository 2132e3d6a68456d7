"""Which parameters learn how fast and which decay, and the learning rate of every step, by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from training.loop import schedule
from training.loop.optimizers import make_optimizer, set_rates
from training.loop.schedule import Probe, planned_steps, rate_factor
from training.losses.combined import CrossViewLoss
from training.model.config import MiftConfig
from training.model.mift import Mift
from training.recipes.reader import load_recipe
from training.recipes.schema import LossSpec, Recipe, ScheduleSpec

TINY = MiftConfig("tiny", 64, (16, 16, 16, 16), (2, 2, 2, 2), (1, 1, 1, 1), 4, (4, 4, 8, 8), 8)
PAPER = load_recipe(Path(__file__).parents[2] / "training/recipes/paper.yaml")
INFONCE = load_recipe(Path(__file__).parents[2] / "training/recipes/infonce.yaml")


@pytest.fixture(scope="module")
def modules() -> tuple[Mift, CrossViewLoss]:
    """A tiny network and a loss with classifiers and temperature."""
    network = Mift(TINY)
    loss = CrossViewLoss(LossSpec(identity=1.0, infonce=1.0), network.branch_count, TINY.head_dim, 5)
    return network, loss


def settings_by_name(optimizer: Optimizer, *modules: nn.Module) -> dict[str, dict[str, Any]]:
    """The group of each parameter by its name."""
    groups = {id(parameter): group for group in optimizer.param_groups for parameter in group["params"]}
    return {name: groups[id(p)] for module in modules for name, p in module.named_parameters()}


@pytest.mark.parametrize("recipe", [PAPER, INFONCE])
def test_every_parameter_is_in_one_group(recipe: Recipe, modules: tuple[Mift, CrossViewLoss]) -> None:
    listed = [id(p) for group in make_optimizer(*modules, recipe).param_groups for p in group["params"]]
    owned = [id(p) for module in modules for p in module.parameters()]
    assert sorted(listed) == sorted(owned)


def test_stages_learn_at_the_rate_of_the_backbone(modules: tuple[Mift, CrossViewLoss]) -> None:
    by_name = settings_by_name(make_optimizer(*modules, PAPER), *modules)
    assert {group["peak"] for name, group in by_name.items() if name.startswith("stages.")} == {0.003}
    assert {group["peak"] for name, group in by_name.items() if not name.startswith("stages.")} == {0.01}


def test_without_a_rate_of_their_own_stages_learn_like_the_rest(modules: tuple[Mift, CrossViewLoss]) -> None:
    recipe = replace(PAPER, optimizer=replace(PAPER.optimizer, backbone_learning_rate=0.0))
    assert {group["peak"] for group in make_optimizer(*modules, recipe).param_groups} == {0.01}


def test_sgd_has_the_papers_momentum_and_decays_all_but_the_temperature(modules: tuple[Mift, CrossViewLoss]) -> None:
    optimizer = make_optimizer(*modules, PAPER)
    assert isinstance(optimizer, SGD)
    assert all(group["momentum"] == 0.9 and group["nesterov"] for group in optimizer.param_groups)
    by_name = settings_by_name(optimizer, *modules)
    assert by_name.pop("infonce.log_scale")["weight_decay"] == 0.0
    assert {group["weight_decay"] for group in by_name.values()} == {0.0005}


def test_sgd_without_momentum_is_plain(modules: tuple[Mift, CrossViewLoss]) -> None:
    optimizer = make_optimizer(*modules, replace(PAPER, optimizer=replace(PAPER.optimizer, momentum=0.0)))
    assert not any(group["nesterov"] for group in optimizer.param_groups)


def test_adamw_decays_weights_of_layers_alone(modules: tuple[Mift, CrossViewLoss]) -> None:
    optimizer = make_optimizer(*modules, INFONCE)
    assert isinstance(optimizer, AdamW)
    by_name = settings_by_name(optimizer, *modules)
    layers = (nn.Linear, nn.Conv2d)
    weights = {
        f"{name}.weight" for module in modules for name, part in module.named_modules() if isinstance(part, layers)
    }
    assert {name for name, group in by_name.items() if group["weight_decay"]} == weights
    assert {by_name[name]["weight_decay"] for name in weights} == {0.05}


@pytest.mark.parametrize(("epoch", "factor"), [(0, 1.0), (99, 1.0), (100, 0.1), (119, 0.1), (120, 0.01), (199, 0.01)])
def test_the_papers_rates_by_epoch(epoch: int, factor: float) -> None:
    for step in (epoch * 88, epoch * 88 + 87):
        assert rate_factor(PAPER.schedule, step, 200 * 88, epoch_steps=88) == pytest.approx(factor)


def test_a_step_sets_the_rate_of_every_group(modules: tuple[Mift, CrossViewLoss]) -> None:
    optimizer = make_optimizer(*modules, PAPER)
    set_rates(optimizer, PAPER, step=1050, steps=2000, epoch_steps=10)
    by_name = settings_by_name(optimizer, *modules)
    assert by_name["stages.0.0.norm.weight"]["lr"] == pytest.approx(0.0003)
    assert by_name["global_head.0.weight"]["lr"] == pytest.approx(0.001)
    set_rates(optimizer, PAPER, step=0, steps=2000, epoch_steps=10)
    assert by_name["stages.0.0.norm.weight"]["lr"] == 0.003


def test_rates_survive_a_saved_state(modules: tuple[Mift, CrossViewLoss]) -> None:
    optimizer, again = make_optimizer(*modules, PAPER), make_optimizer(*modules, PAPER)
    set_rates(optimizer, PAPER, step=1500, steps=2000, epoch_steps=10)
    again.load_state_dict(optimizer.state_dict())
    set_rates(again, PAPER, step=0, steps=2000, epoch_steps=10)
    assert [group["lr"] for group in again.param_groups] == [group["peak"] for group in optimizer.param_groups]


def test_warm_up_then_half_a_cosine_to_zero() -> None:
    factors = [rate_factor(ScheduleSpec(warmup_steps=10), step, 110, 0) for step in range(111)]
    assert factors[0] == pytest.approx(0.1) and factors[9] == pytest.approx(1.0) and factors[10] == pytest.approx(1.0)
    assert factors[60] == pytest.approx(0.5) and factors[110] == pytest.approx(0.0)
    assert factors[10:] == sorted(factors[10:], reverse=True)


def test_warm_up_leads_to_milestones_too() -> None:
    spec = ScheduleSpec(warmup_steps=4, milestones=(2,), factor=0.5)
    assert [rate_factor(spec, step, 40, 10) for step in (0, 3, 19, 20, 39)] == [0.25, 1.0, 1.0, 0.5, 0.5]


def test_steps_are_planned_from_the_time_left() -> None:
    assert planned_steps(done=8, seconds_per_step=2.0, minutes_left=10.0) == 308
    assert planned_steps(done=8, seconds_per_step=2.0, minutes_left=-1.0) == 9


def test_the_papers_update_of_one_weight_by_hand() -> None:
    # Nesterov's first step: gradient 2 + 0.0005 * 1, applied 1 + 0.9 times at rate 0.01.
    network, loss = Mift(TINY), nn.Module()
    bias = network.global_head[0].bias
    with torch.no_grad():
        bias.fill_(1.0)
    optimizer = make_optimizer(network, loss, PAPER)
    bias.grad = torch.full_like(bias, 2.0)
    optimizer.step()
    torch.testing.assert_close(bias.detach(), torch.full_like(bias, 1.0 - 0.01 * 1.9 * 2.0005))


@pytest.mark.parametrize(("workers", "timed"), [(0, 6), (4, 8), (8, 8), (16, 16)])
def test_a_run_is_planned_without_the_time_of_its_start(
    monkeypatch: pytest.MonkeyPatch, workers: int, timed: int
) -> None:
    """A minute for the first step, two seconds for each later one, whether alone or in bursts of the workers."""
    now_s = [0.0]
    monkeypatch.setattr(schedule.time, "monotonic", lambda: now_s[0])
    probe, planned = Probe(10.0, 100, workers), 5000
    burst = max(workers, 1)
    for step in range(101, 100 + 2 + timed + 1):
        assert planned == 5000
        now_s[0] = 60.0 + 2.0 * burst * ((step - 101) // burst)
        planned = probe.steps(step, planned)
    assert planned == 102 + timed + int((600.0 - now_s[0]) / 2.0)
    assert probe.steps(103 + timed, planned) == planned
    assert Probe(None, 0, workers).steps(2 + timed, 7) == 7
