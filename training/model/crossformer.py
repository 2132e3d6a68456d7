"""Official ImageNet weights of CrossFormer in the stages of a network.

Wang et al., CrossFormer: A Versatile Vision Transformer Hinging on Cross-scale Attention, ICLR 2022; checkpoints of
github.com/cheerss/CrossFormer (MIT). The released MIFT code starts from them; CrossFormer-S has the sizes of mift_s.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from math import isqrt
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from mift_ros.errors import TrainingError
from training.model.network import Network

BLOCK_MODULES = {
    "norm1": "norm1",
    "attn.qkv": "attention.attention.qkv",
    "attn.proj": "attention.attention.projection",
    "norm2": "norm2",
    "mlp.fc1": "mlp.0",
    "mlp.fc2": "mlp.2",
}
"""Modules of one of their blocks and of one of our layers."""


def load_crossformer(path: Path, network: Network) -> list[str]:
    """Copy the weights of a checkpoint into the stages of `network`, wherever name and shape fit.

    Returns:
        One line per key without counterpart: in the file, in the network, or of another shape.

    Raises:
        TrainingError: the file cannot be read, is not of CrossFormer, or fits no attention layer of the network.
    """
    theirs, ours = read_checkpoint(path), network.state_dict()
    names = dict(_names(network))
    tables = {prefix: key for prefix, key in _tables(network) if f"{prefix}pos_proj.weight" in theirs}
    found = {names[key]: value for key, value in theirs.items() if key in names and names[key] in ours}
    for prefix, key in tables.items():
        found[key] = bias_table(_below(prefix, theirs), size=(isqrt(ours[key].shape[1]) + 1) // 2)
    fits = {key: value for key, value in found.items() if ours[key].shape == value.shape}
    if not any(".qkv." in key for key in fits):
        variant = network.config.variant
        raise TrainingError(
            f"{path}: its attention layers have other shapes than those of {variant}; nothing is loaded"
        )
    network.load_state_dict(fits, strict=False)
    alone = (key for key in theirs if names.get(key) not in found and not key.startswith(tuple(tables)))
    return [
        *(f"{key}: only in the file" for key in alone),
        *(f"{key}: {list(found[key].shape)} in the file, {list(ours[key].shape)} here" for key in found.keys() - fits),
        *(f"{key}: only here" for key in ours.keys() - found),
    ]


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint, bare or under "model"; nothing in the file is executed.

    Raises:
        TrainingError: the file cannot be read, holds more than tensors and plain values, or is not of CrossFormer.
    """
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise TrainingError(f"{path}: cannot be read as a file of tensors ({reason})") from error
    state = content.get("model", content) if isinstance(content, dict) else {}
    if not isinstance(state, dict) or "patch_embed.projs.0.weight" not in state:
        raise TrainingError(
            f"{path}: not of CrossFormer, whose checkpoints have patch_embed.projs.0.weight under 'model'"
        )
    return {str(key): value for key, value in state.items() if isinstance(value, Tensor)}


def bias_table(parts: Mapping[str, Tensor], size: int) -> Tensor:
    """What a dynamic position bias gives for every offset in a group of size x size; [heads, (2 size - 1)^2].

    parts: tensors of their module `pos`: a linear layer of (row, column), then LayerNorm, ReLU, linear three times.
    """
    axis = torch.arange(1 - size, size, dtype=parts["pos_proj.weight"].dtype)
    x = functional.linear(torch.cartesian_prod(axis, axis), parts["pos_proj.weight"], parts["pos_proj.bias"])
    for name in ("pos1", "pos2", "pos3"):
        x = functional.layer_norm(x, x.shape[1:], parts[f"{name}.0.weight"], parts[f"{name}.0.bias"]).relu()
        x = functional.linear(x, parts[f"{name}.2.weight"], parts[f"{name}.2.bias"])
    return x.T


def _names(network: Network) -> Iterator[tuple[str, str]]:
    """Their key and ours of every weight and bias, position bias aside."""
    for index, kernels in enumerate(network.config.kernels):
        theirs = f"layers.{index - 1}.downsample" if index else "patch_embed"
        modules = {f"{theirs}.norm": f"stages.{index}.0.norm"}
        for k in range(len(kernels)):
            modules[f"{theirs}.{'reductions' if index else 'projs'}.{k}"] = f"stages.{index}.0.projections.{k}"
        for block, layer in _blocks(network, index):
            modules |= {f"{block}.{source}": f"{layer}.{target}" for source, target in BLOCK_MODULES.items()}
        for source, target in modules.items():
            for tensor in ("weight", "bias"):
                yield f"{source}.{tensor}", f"{target}.{tensor}"


def _tables(network: Network) -> Iterator[tuple[str, str]]:
    """Prefix of their dynamic position bias and key of our table, for every layer that has one."""
    state = network.state_dict()
    for index in range(len(network.config.depths)):
        for block, layer in _blocks(network, index):
            if f"{layer}.attention.bias.table" in state:
                yield f"{block}.attn.pos.", f"{layer}.attention.bias.table"


def _blocks(network: Network, index: int) -> Iterator[tuple[str, str]]:
    """Path of each of their blocks of a stage and of our layer."""
    depth = network.config.depths[index]
    first = sum(1 for _ in network.stages[index].children()) - depth
    for block in range(depth):
        yield f"layers.{index}.blocks.{block}", f"stages.{index}.{first + block}"


def _below(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
