"""Moving average of the weights."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from training.model.network import Network

Tensors = list[Tensor] | tuple[Tensor, ...]
Averaging = Callable[[Tensors, Tensors, Tensor | int], None]


def averaged(network: Network, decay: float) -> AveragedModel | None:
    """A copy that follows the network, batch statistics included; None with decay 0."""
    if decay == 0:
        return None
    return AveragedModel(network, multi_avg_fn=moving_average(decay), use_buffers=True)


def moving_average(decay: float) -> Averaging:
    """Exponential average in place, whose memory starts short, so that it forgets the untrained weights at once.

    Integer buffers, such as a count of batches, are taken over: averaged, they would round downwards.
    """

    @torch.no_grad()
    def average(means: Tensors, currents: Tensors, count: Tensor | int) -> None:
        kept = min(decay, (1.0 + float(count)) / (10.0 + float(count)))
        if means[0].is_floating_point():
            torch._foreach_mul_(means, kept)
            torch._foreach_add_(means, currents, alpha=1.0 - kept)
        else:
            torch._foreach_copy_(means, currents)

    return average
