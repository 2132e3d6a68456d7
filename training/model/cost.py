"""Parameters and floating-point operations of each part of the network."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from training.model.head import BottleneckHead
from training.model.mift import Mift
from training.model.network import Network


@dataclass(frozen=True)
class PartCost:
    """One row of `mift model info`: flops of one image, a multiply-add counted as two."""

    part: str
    parameters: int
    flops: int


def parts(model: Mift) -> dict[str, list[str]]:
    """Name of each part with the paths of the modules it is made of."""
    named: dict[str, list[str]] = {}
    kind = model.config.attention.name
    for index, stage in enumerate(model.stages):
        assert isinstance(stage, nn.Sequential)
        named[f"stage {index + 1} MEF"] = [f"stages.{index}.0"]
        named[f"stage {index + 1} {kind}"] = [f"stages.{index}.{layer}" for layer in range(1, len(stage))]
    named["MFF"] = ["fusion"]
    named["heads"] = [path for path, module in model.named_modules() if isinstance(module, BottleneckHead)]
    return named


def count_flops(model: Network) -> dict[str, int]:
    """Flops of every module path ("" is the whole network) for one image: convolutions, linear layers, attention.

    Attention runs as plain matrix products here, since the counter does not know the fused CPU kernel.
    """
    size = model.config.input_size
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        model.eval()(torch.zeros(1, 3, size, size, device=next(model.parameters()).device))
    root = type(model).__name__
    counts = counter.get_flop_counts().items()
    return {path.removeprefix(root).removeprefix("."): sum(operations.values()) for path, operations in counts}


def cost(model: Mift) -> list[PartCost]:
    """Cost of each part, then of the pooling of regions, then the total."""
    flops = count_flops(model)
    rows = [
        PartCost(
            part,
            sum(p.numel() for path in paths for p in model.get_submodule(path).parameters()),
            sum(flops.get(path, 0) for path in paths),
        )
        for part, paths in parts(model).items()
    ]
    rows.append(PartCost("regions", 0, flops[""] - sum(row.flops for row in rows)))
    return [*rows, PartCost("total", sum(p.numel() for p in model.parameters()), flops[""])]
