"""A wider and deeper network that computes what a trained one does, to go on from there.

Chen, Goodfellow, Shlens, "Net2Net", ICLR 2016: a channel of the wide network is a copy of one of the narrow network,
and what reads the copies divides the weight among them. The shares differ, so that the copies part as training goes on.
Copies are equally many wherever a LayerNorm or a cosine reads them, which they leave as it was. Heads of attention are
copied whole. Layers that the narrow network lacks begin as the identity: what they add to the shortcut is zero.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mift_ros.errors import TrainingError
from training.model.config import AttentionKind
from training.model.mef import projection_dims
from training.model.mift import Mift
from training.model.network import Network
from training.model.position import stretched_table

LEAST_SHARE, MOST_SHARE = 0.5, 1.5
"""Of a copy, before the shares of a channel are brought to a sum of 1."""

State = dict[str, Tensor]


def widen(narrow: Network, wide: Network) -> None:
    """Give `wide` the function of `narrow`, but for rounding; shares are drawn from PyTorch's generator.

    Where the resolutions differ, biases of position are interpolated and the function changes with what it sees.

    Raises:
        TrainingError: some channel, head or layer of the narrow network finds no place in the wide one.
    """
    _check(narrow, wide)
    wide.load_state_dict(_Widened(narrow, wide).state)


def _check(narrow: Network, wide: Network) -> None:
    few, many = narrow.config, wide.config
    where = f"{few.variant} cannot be widened to {many.variant}"
    for config, network in ((few, narrow), (many, wide)):
        glra = config.attention is AttentionKind.GLRA
        if not (isinstance(network, Mift) and glra and config.grid and config.fusion):
            raise TrainingError(f"{where}: only MIFT with GLRA, MFF and a grid of branches (network.grid) can")
    if (few.grid, few.kernels) != (many.grid, many.kernels):
        raise TrainingError(f"{where}: they have another network.grid or other network.kernels")
    multiples = ("dims", few.dims, many.dims), ("network.head_dim", (few.head_dim,), (many.head_dim,))
    for what, sizes, larger in multiples:
        if any(b % a for a, b in zip(sizes, larger)):
            raise TrainingError(f"{where}: {what} {list(larger)} are not multiples of {list(sizes)}")
    if any(a * d != b * c for a, b, c, d in zip(few.dims, few.heads, many.dims, many.heads)):
        raise TrainingError(f"{where}: their heads of attention have other widths")
    if any(b < a for a, b in zip(few.depths + few.fusion_widths, many.depths + many.fusion_widths)):
        raise TrainingError(f"{where}: it has fewer layers or fusion channels in a stage")


def _copies(narrow: int, wide: int) -> Tensor:
    """Which narrow channel each wide one is a copy of [wide]; copies lie side by side."""
    return torch.arange(wide) * narrow // wide


class _Widened:
    """The state of the wide network, filled part by part."""

    def __init__(self, narrow: Network, wide: Network) -> None:
        self._narrow, self._wide = narrow.config, wide.config
        self._given, self.state = narrow.state_dict(), wide.state_dict()
        self._dims = [_copies(a, b) for a, b in zip(self._narrow.dims, self._wide.dims)]
        for index in range(4):
            self._embedding(f"stages.{index}.0", index)
            for layer in range(self._wide.depths[index]):
                prefix = f"stages.{index}.{layer + 1}"
                if layer < self._narrow.depths[index]:
                    self._layer(prefix, index)
                else:
                    self._identity(prefix)
        self._fusion()

    def _copy(self, name: str, copies: Tensor) -> None:
        self.state[name] = self._given[name][copies]

    def _divide(self, name: str, outputs: Tensor, inputs: Tensor) -> None:
        """A weight [out, in, ...]: copied for every output, divided among the copies of every input."""
        weight = self._given[name]
        raw = torch.empty(len(outputs), len(inputs)).uniform_(LEAST_SHARE, MOST_SHARE)
        sums = torch.zeros(len(outputs), weight.shape[1]).index_add_(1, inputs, raw)
        shares = raw / sums[:, inputs]
        self.state[name] = weight[outputs][:, inputs] * shares.reshape(*shares.shape, *[1] * (weight.dim() - 2))

    def _affine(self, prefix: str, outputs: Tensor, inputs: Tensor) -> None:
        self._divide(f"{prefix}.weight", outputs, inputs)
        self._copy(f"{prefix}.bias", outputs)

    def _scale_and_shift(self, prefix: str, copies: Tensor) -> None:
        self._copy(f"{prefix}.weight", copies)
        self._copy(f"{prefix}.bias", copies)

    def _batch_norm(self, prefix: str, copies: Tensor) -> None:
        self._scale_and_shift(prefix, copies)
        for part in ("running_mean", "running_var"):
            self._copy(f"{prefix}.{part}", copies)
        self.state[f"{prefix}.num_batches_tracked"] = self._given[f"{prefix}.num_batches_tracked"]

    def _embedding(self, prefix: str, index: int) -> None:
        inputs = self._dims[index - 1] if index else torch.arange(3)
        kernels = self._narrow.kernels[index]
        widths = (projection_dims(config.dims[index], kernels) for config in (self._narrow, self._wide))
        for number, (few, many) in enumerate(zip(*widths)):
            self._affine(f"{prefix}.projections.{number}", _copies(few, many), inputs)
        self._scale_and_shift(f"{prefix}.norm", inputs if index else self._dims[0])

    def _layer(self, prefix: str, index: int) -> None:
        own = f"{prefix}.attention"
        tokens, dim = self._dims[index], self._narrow.dims[index]
        heads = _copies(self._narrow.heads[index], self._wide.heads[index])
        width = dim // self._narrow.heads[index]
        values = (heads[:, None] * width + torch.arange(width)).flatten()
        hidden = _copies(4 * dim, 4 * self._wide.dims[index])
        self._scale_and_shift(f"{prefix}.norm1", tokens)
        self._affine(f"{own}.attention.qkv", torch.cat([values, values + dim, values + 2 * dim]), tokens)
        self._affine(f"{own}.attention.projection", tokens, values)
        table = f"{own}.bias.table"
        self.state[table] = stretched_table(self._given[table][heads], self.state[table].shape[1])
        self._scale_and_shift(f"{prefix}.norm2", tokens)
        self._affine(f"{prefix}.mlp.0", hidden, tokens)
        self._affine(f"{prefix}.mlp.2", tokens, hidden)

    def _identity(self, prefix: str) -> None:
        for part in ("attention.attention.projection", "mlp.2"):
            for name in (f"{prefix}.{part}.weight", f"{prefix}.{part}.bias"):
                self.state[name] = torch.zeros_like(self.state[name])

    def _fusion(self) -> None:
        few, many = self._narrow.fusion_widths, self._wide.fusion_widths
        one, two, three, four = (_copies(a, b) for a, b in zip(few, many))
        deep = torch.cat([four, three + few[3]])
        deeper = torch.cat([deep, two + few[3] + few[2]])
        fused = torch.cat([deeper, one + few[3] + few[2] + few[1]])
        for index, (copies, inputs) in enumerate(zip((one, two, three, four), self._dims)):
            self._affine(f"fusion.reductions.{index}", copies, inputs)
        inputs_and_outputs = (
            (four, four), (four, three), (three, two), (four, two), (deep, deep),
            (two, one), (three, one), (four, one), (deeper, deeper), (fused, fused),
        )  # fmt: skip
        for number, (inputs, outputs) in enumerate(inputs_and_outputs, 1):
            self._divide(f"fusion.conv{number}.0.weight", outputs, inputs)
            self._batch_norm(f"fusion.conv{number}.1", outputs)
        branch = _copies(self._narrow.head_dim, self._wide.head_dim)
        for cell in range(self._wide.branches):
            self._affine(f"grid_heads.{cell}.0", branch, fused)
            self._batch_norm(f"grid_heads.{cell}.1", branch)
