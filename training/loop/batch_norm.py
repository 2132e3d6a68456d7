"""Batch normalisation over the rows of all processes, so that their number is no part of an experiment."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from training.loop.processes import process_count, sum_over_processes


def share_batch_norm(network: nn.Module, device: torch.device) -> None:
    """Replace every batch normalisation of the network in place; names, parameters and buffers stay the same."""
    for name, child in network.named_children():
        if isinstance(child, _BatchNorm):
            setattr(network, name, _shared(child, device))
        else:
            share_batch_norm(child, device)


def _shared(norm: _BatchNorm, device: torch.device) -> nn.Module:
    if device.type == "cuda":
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(norm)  # type: ignore[no-untyped-call]
        return converted
    return SharedBatchNorm(norm)


class SharedBatchNorm(_BatchNorm):
    """nn.SyncBatchNorm for tensors on the CPU, which it refuses: plain sums over the processes, in float32."""

    def __init__(self, norm: _BatchNorm) -> None:
        """Takes over the parameters and buffers of `norm`, which has all of them."""
        super().__init__(norm.num_features, norm.eps, norm.momentum)
        self.weight, self.bias = norm.weight, norm.bias
        self.running_mean, self.running_var = norm.running_mean, norm.running_var
        self.num_batches_tracked = norm.num_batches_tracked
        self.training = norm.training

    def _check_input_dim(self, input: Tensor) -> None:
        """Any [B, C, ...] will do."""

    def forward(self, input: Tensor) -> Tensor:
        """[B, C, ...] to the same; every process holds the same number of rows."""
        if not self.training:
            return functional.batch_norm(
                input, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps
            )
        axes, shape = [0, *range(2, input.ndim)], [1, -1] + [1] * (input.ndim - 2)
        values = input.float()
        count = values.numel() // values.shape[1] * process_count()
        mean = sum_over_processes(values.sum(axes)) / count
        centred = values - mean.reshape(shape)
        variance = sum_over_processes(centred.square().sum(axes)) / count
        self._remember(mean.detach(), variance.detach() * count / max(count - 1, 1))
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (centred * scale.reshape(shape) + self.bias.reshape(shape)).to(input.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None and self.running_var is not None and self.momentum is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)
