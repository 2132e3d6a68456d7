"""The network as it trains, from a file as it flies: the inverse of export/flight_form.py.

Nothing is lost but the batch normalisations, which the export folds into the layers before them: they come back as
ones that change nothing, and take statistics from the first batch (training/loop/settle.py).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from export.model_file import read_model
from export.parity import compare
from mift_ros.errors import ExportError
from mift_ros.inference.embedder import ModelIdentity
from training.model.glra import RangeAttention
from training.model.layer import TransformerLayer
from training.model.mef import MultiScaleEmbedding, WideConv2d
from training.model.mift import VARIANTS, Mift
from training.model.network import Network

EXACT = "fp32"
State = dict[str, Tensor]


def load_exported(path: Path, network: Network) -> Network:
    """Take the weights of an ONNX file of `mift export onnx`: into the network, or one of the file's own variant.

    Returns the one that has them, in evaluation mode; what is not of the file's variant is like `network`.

    Raises:
        ExportError: the file cannot be read, is fp16 or int8, or is of another network.
    """
    given = _Exported(path)
    network = _of_variant(given.identity, network)
    try:
        network.load_state_dict(_state(given, network))
    except RuntimeError as error:  # PyTorch's own for tensors of other sizes
        raise given.strange(str(error).splitlines()[-1].strip()) from error
    if network.config.input_size != given.identity.input_size:
        raise given.strange(
            f"it takes images of {given.identity.input_size} pixels, the recipe's {network.config.input_size}"
        )
    if not all(parity.holds for parity in compare(network, given.proto)):
        raise given.strange("with its weights the network gives other embeddings")
    return network


def _of_variant(identity: ModelIdentity, like: Network) -> Network:
    if identity.variant == like.config.variant or identity.variant not in VARIANTS:
        return like
    wanted, own = like.config, VARIANTS[identity.variant]
    head_dim = identity.embedding_dim // wanted.branches
    return Mift(replace(own, kernels=wanted.kernels, grid=wanted.grid, regions=wanted.regions, head_dim=head_dim))


def _state(given: _Exported, network: Network) -> State:
    state: State = {}
    for index, stage in enumerate(network.stages):
        assert isinstance(stage, nn.Sequential)
        for number, part in enumerate(stage):
            prefix = f"stages.{index}.{number}"
            if isinstance(part, MultiScaleEmbedding):
                state.update(_embedding(given, prefix, part))
            elif isinstance(part, TransformerLayer) and isinstance(part.attention, RangeAttention):
                state.update(_layer(given, prefix, part.attention))
    for name, module in network.named_modules():
        if isinstance(module, nn.Sequential) and len(module) > 1 and isinstance(module[1], _BatchNorm):
            state.update(_normalised(given, name, module[0], module[1]))
    return state | {name: given.tensor(name) for name in network.state_dict().keys() - state.keys()}


class _Exported:
    """The constants of an ONNX file by name."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.proto, self.identity = read_model(path)
        if self.identity.precision != EXACT:
            raise ExportError(f"{path}: is {self.identity.precision}; begin with the float32 model it was made of")
        graph = self.proto.graph
        self._tensors = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in graph.initializer}
        nodes = [node for node in graph.node if node.op_type in ("Conv", "Gemm") and len(node.input) > 2]
        self._biases = {node.input[1]: node.input[2] for node in nodes}

    def tensor(self, name: str) -> Tensor:
        """A constant that kept its name."""
        if name not in self._tensors:
            raise self.strange(f"it has no {name}")
        return self._tensors[name]

    def bias_of(self, weight: str) -> Tensor:
        """What is added to the products with a weight."""
        if weight not in self._biases:
            raise self.strange(f"it has no bias beside {weight}")
        return self.tensor(self._biases[weight])

    def strange(self, why: str) -> ExportError:
        """The file is of another network than the recipe's."""
        return ExportError(f"{self._path}: {self.identity.variant} of another recipe or version: {why}")


def _embedding(given: _Exported, prefix: str, embedding: MultiScaleEmbedding) -> State:
    """Kernels of several strides lie in the file as rows of one convolution (RowConvolutions)."""
    narrow = [k for k, p in enumerate(embedding.projections) if not isinstance(p, WideConv2d)]
    wide = [(k, p) for k, p in enumerate(embedding.projections) if isinstance(p, WideConv2d)]
    kept = f"{prefix}.narrow" if wide else f"{prefix}.projections"
    state = {
        f"{prefix}.projections.{k}.{part}": given.tensor(f"{kept}.{row}.{part}")
        for row, k in enumerate(narrow)
        for part in ("weight", "bias")
    }
    start, widest = 0, max((p.kernel_size[0] // p.stride[0] for _, p in wide), default=0)
    for row, (k, conv) in enumerate(wide):
        stride, width = conv.stride[0], conv.out_channels
        cells = conv.kernel_size[0] // stride
        rows = given.tensor(f"{prefix}.wide.kernel")[start : start + cells * width]
        first = (widest - cells) // 2
        parts = rows[..., first : first + cells].reshape(cells, width, -1, stride, stride, cells)
        weight = parts.permute(1, 2, 0, 3, 5, 4).reshape(width, -1, cells * stride, cells * stride)
        state[f"{prefix}.projections.{k}.weight"] = weight
        state[f"{prefix}.projections.{k}.bias"] = given.tensor(f"{prefix}.wide.biases.{row}").flatten()
        start += cells * width
    return state


def _layer(given: _Exported, prefix: str, attention: RangeAttention) -> State:
    """The biases of keys and values are in others (FlightAttention): zero does as well, and is trained again."""
    own = f"{prefix}.attention"
    query, key, value = (given.tensor(f"{own}.{part}.weight") for part in ("query", "key", "value"))
    scale = (len(query) // attention.attention.heads) ** 0.5
    nothing = torch.zeros(len(query))
    bias = given.tensor(f"{own}.bias")[0].flatten(1)
    table = torch.zeros_like(attention.bias.table)
    table[:, attention.bias.relative.flatten()] = bias
    state = {
        f"{own}.attention.qkv.weight": torch.cat([query * scale, key, value]),
        f"{own}.attention.qkv.bias": torch.cat([given.tensor(f"{own}.query.bias") * scale, nothing, nothing]),
        f"{own}.bias.table": table,
    }
    for part in ("weight", "bias"):
        state[f"{own}.attention.projection.{part}"] = given.tensor(f"{own}.projection.{part}")
        state[f"{prefix}.mlp.0.{part}"] = given.tensor(f"{prefix}.widen.{part}")
        state[f"{prefix}.mlp.2.{part}"] = given.tensor(f"{prefix}.narrow.{part}")
    return state


def _normalised(given: _Exported, name: str, layer: nn.Module, norm: _BatchNorm) -> State:
    """A layer and a batch normalisation that leaves what it gives as it is."""
    weight, bias = given.tensor(f"{name}.0.weight"), given.bias_of(f"{name}.0.weight")
    state = {
        f"{name}.0.weight": weight,
        f"{name}.1.weight": torch.ones(len(bias)),
        f"{name}.1.bias": bias,
        f"{name}.1.running_mean": torch.zeros(len(bias)),
        f"{name}.1.running_var": torch.full((len(bias),), 1.0 - norm.eps),
        f"{name}.1.num_batches_tracked": torch.tensor(0),
    }
    if getattr(layer, "bias", None) is not None:
        state[f"{name}.0.bias"], state[f"{name}.1.bias"] = bias, torch.zeros(len(bias))
    return state
