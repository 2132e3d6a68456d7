"""What the processes of one run tell each other. With one process each function gives back what it gets.

The loss is computed by every process from all rows. Gradients of the gathered rows are summed over the processes, so
each process holds W times the gradient that its rows have; the mean that DistributedDataParallel takes over the W
processes then is the gradient of one process with all rows.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator
from accelerate.utils import InitProcessGroupKwargs
from torch import Tensor, distributed

LONGEST_WAIT = timedelta(hours=2)
"""Of the other processes while the main one evaluates and writes."""


def make_accelerator() -> Accelerator:
    """Device and processes of this run, as torchrun or accelerate launch started it.

    Without a GPU Accelerate takes processes for separate runs unless it is told to use the CPU. Precision and
    accumulation are the recipe's, whatever the launcher's configuration says.
    """
    has_device = torch.cuda.is_available() or torch.backends.mps.is_available()
    return Accelerator(
        cpu=not has_device, mixed_precision="no", kwargs_handlers=[InitProcessGroupKwargs(timeout=LONGEST_WAIT)]
    )


def process_count() -> int:
    """Processes of this run."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def leave() -> bool:
    """End the work of the processes with each other; whether this is the main one."""
    if process_count() == 1:
        return True
    is_main = distributed.get_rank() == 0
    distributed.destroy_process_group()
    return is_main


def gather_rows(rows: Tensor) -> Tensor:
    """Rows of all processes in the order of their ranks [W * N, ...]; the gradient goes back to each process's rows."""
    if process_count() == 1:
        return rows
    gathered: Tensor = _GatherRows.apply(rows)  # type: ignore[no-untyped-call]
    return gathered


def sum_over_processes(values: Tensor) -> Tensor:
    """Sum of the processes' tensors; differentiable."""
    if process_count() == 1:
        return values
    total: Tensor = _Sum.apply(values)  # type: ignore[no-untyped-call]
    return total


def from_main(values: Tensor) -> Tensor:
    """The main process's tensor; the others give one of its shape and type."""
    if process_count() > 1:
        distributed.broadcast(values, 0)
    return values


class Decision(NamedTuple):
    """After a step: whether to end now, whether to save, and how many steps are planned."""

    stop: bool
    save: bool
    steps: int


def agree(mine: Decision, device: torch.device) -> Decision:
    """Stop or save where any process wants it; the most steps that any process plans."""
    if process_count() == 1:
        return mine
    wishes = torch.tensor(mine, dtype=torch.int64, device=device)
    distributed.all_reduce(wishes, distributed.ReduceOp.MAX)
    stop, save, steps = wishes.tolist()
    return Decision(bool(stop), bool(save), steps)


class _GatherRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        parts = [torch.empty_like(rows, memory_format=torch.contiguous_format) for _ in range(process_count())]
        distributed.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total.chunk(process_count())[distributed.get_rank()]


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total
