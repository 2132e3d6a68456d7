"""Batch normalisations of folded weights take the statistics of images, and the network does what it did before."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from training.loop.processes import process_count, sum_over_processes
from training.model.network import Network


@torch.no_grad()
def settle(network: Network, images: Tensor) -> None:
    """Give every batch normalisation the mean and variance of what it gets from images [B, 3, S, S].

    Its scale and shift follow, so that in evaluation mode nothing changes, and in training mode a batch like this one
    is normalised to what it was. All processes end with the statistics of all their images.
    """
    found: dict[str, tuple[Tensor, Tensor]] = {}
    norms = {name: module for name, module in network.named_modules() if isinstance(module, _BatchNorm)}
    hooks = [
        norm.register_forward_pre_hook(lambda _, given, name=name: found.update({name: _moments(given[0])}))
        for name, norm in norms.items()
    ]
    was_training = network.training
    network.eval()(images)
    network.train(was_training)
    for hook in hooks:
        hook.remove()
    for name, norm in norms.items():
        _take(norm, *found[name])


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of every channel of [B, C, ...], over all processes."""
    rows = x.float().transpose(0, 1).flatten(1)
    count = rows.shape[1] * process_count()
    mean = sum_over_processes(rows.sum(1)) / count
    return mean, sum_over_processes((rows - mean[:, None]).square().sum(1)) / count


def _take(norm: nn.Module, mean: Tensor, variance: Tensor) -> None:
    assert isinstance(norm, _BatchNorm) and norm.running_mean is not None and norm.running_var is not None
    factor = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    norm.bias.add_(factor * (mean - norm.running_mean))
    norm.weight.copy_(factor * torch.sqrt(variance + norm.eps))
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
