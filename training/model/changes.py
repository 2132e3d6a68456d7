"""Networks that differ from a variant, for the ablations of Tables 5 and 6, of Fig. 13 and of whole parts."""

from __future__ import annotations

import math
from dataclasses import replace

from mift_ros.errors import TrainingError
from training.model.config import STAGE_STRIDES, AttentionKind, MiftConfig
from training.recipes.schema import NetworkSpec


def changed(config: MiftConfig, spec: NetworkSpec) -> MiftConfig:
    """The sizes with the changes of a recipe; what is empty or 0 in `spec` stays.

    Raises:
        TrainingError: a change is unknown, or impossible in this variant.
    """
    result = replace(
        config,
        attention=_attention(spec.attention) if spec.attention else config.attention,
        kernels=spec.kernels or config.kernels,
        regions=spec.regions or config.regions,
        head_dim=spec.head_dim or config.head_dim,
        drop_path=spec.drop_path or config.drop_path,
        fusion=spec.fusion and config.fusion,
        grid=spec.grid or config.grid,
        input_size=spec.input_size or config.input_size,
        group=spec.group or config.group,
    )
    _check_sides(result)
    patches = result.sides[3] ** 2
    if not 1 <= result.regions <= patches:
        raise TrainingError(f"network.regions: from 1 to the {patches} patches of stage 4, not {result.regions}")
    if not 0 <= result.grid <= result.sides[3]:
        raise TrainingError(f"network.grid: to the {result.sides[3]} patches of a side of stage 4, not {result.grid}")
    if result.head_dim < 1:
        raise TrainingError(f"network.head_dim: above 0, not {result.head_dim}")
    if not 0 <= result.drop_path < 1:
        raise TrainingError(f"network.drop_path: from 0 to below 1, not {result.drop_path}")
    _check_kernels(result)
    return result


def _attention(name: str) -> AttentionKind:
    try:
        return AttentionKind(name)
    except ValueError as error:
        known = ", ".join(kind.value for kind in AttentionKind)
        raise TrainingError(f"network.attention: one of {known}, not {name!r}") from error


def _check_sides(config: MiftConfig) -> None:
    stride = math.prod(STAGE_STRIDES)
    if config.input_size < stride or config.input_size % stride:
        raise TrainingError(f"network.input_size: a multiple of {stride} pixels, not {config.input_size}")
    if config.group < 1 or any(side % min(config.group, side) for side in config.sides):
        raise TrainingError(
            f"network.group: it divides the tokens of a side of each stage, {list(config.sides)}, or is more than they "
            f"are; not {config.group}"
        )


def _check_kernels(config: MiftConfig) -> None:
    if len(config.kernels) != len(STAGE_STRIDES):
        raise TrainingError(f"network.kernels: give those of four stages, not of {len(config.kernels)}")
    for index, (kernels, stride, dim) in enumerate(zip(config.kernels, STAGE_STRIDES, config.dims)):
        where = f"network.kernels of stage {index + 1}, {list(kernels)}"
        if not kernels or list(kernels) != sorted(set(kernels)):
            raise TrainingError(f"{where}: give at least one, each larger than the one before")
        if kernels[0] < stride or any(kernel % stride for kernel in kernels):
            raise TrainingError(f"{where}: each is a multiple of the stride, {stride}")
        if dim % 2 ** (len(kernels) - 1):
            raise TrainingError(f"{where}: {dim} channels cannot be halved {len(kernels) - 1} times")
