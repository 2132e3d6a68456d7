"""The network as it flies: the same function of the same weights in fewer passes over memory.

Training wants modules that read as the paper and gradients; a runtime wants large products and few copies between them.
What is rewritten here is exact up to rounding, and every export is compared with the network as trained.
"""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.model.glra import Range, RangeAttention
from training.model.layer import TransformerLayer
from training.model.mef import MultiScaleEmbedding, WideConv2d
from training.model.network import Network


def flight_form(model: Network) -> Network:
    """A copy of the network with its range attention, perceptrons and wide convolutions rewritten."""
    flying = copy.deepcopy(model).eval()
    for stage in flying.stages:
        assert isinstance(stage, nn.Sequential)
        for index, part in enumerate(stage):
            if isinstance(part, MultiScaleEmbedding) and any(isinstance(p, WideConv2d) for p in part.projections):
                stage[index] = FlightEmbedding(part)
            elif isinstance(part, TransformerLayer) and isinstance(part.attention, RangeAttention):
                stage[index] = FlightLayer(part, part.attention)
    return flying


class FlightLayer(nn.Module):
    """A transformer layer on rows of tokens: a product and its bias are one node (Gemm) for matrices only."""

    def __init__(self, layer: TransformerLayer, attention: RangeAttention) -> None:
        super().__init__()
        self.norm1, self.norm2 = layer.norm1, layer.norm2
        self.attention = FlightAttention(attention)
        self.widen, self.narrow = layer.mlp[0], layer.mlp[2]

    def forward(self, x: Tensor) -> Tensor:
        """Tokens [B, S, S, dim] to the same shape."""
        side, channels = x.shape[1], x.shape[3]
        rows = x.reshape(-1, channels)
        rows = rows + self.attention(self.norm1(rows), side)
        rows = rows + self.narrow(gelu(self.widen(self.norm2(rows))))
        tokens: Tensor = rows.reshape(-1, side, side, channels)
        return tokens


class FlightAttention(nn.Module):
    """Range attention that groups tokens and splits heads in one copy each of queries, keys and values.

    The projections act on single tokens, so they come before the grouping. The scale is in the weights of the queries.
    Keys need no bias: it adds the same to all logits of a query, which softmax does not see. That of the values passes
    the attention unchanged, since its weights sum to one, and so is part of the bias of the last projection.
    """

    def __init__(self, attention: RangeAttention) -> None:
        super().__init__()
        core = attention.attention
        self.heads, self.size, self.range = core.heads, attention.size, attention.range
        (query, key, value), bias = core.qkv.weight.chunk(3), core.qkv.bias.chunk(3)
        scale = (query.shape[0] // core.heads) ** -0.5
        self.query = _linear(query * scale, bias[0] * scale)
        self.key, self.value = _linear(key), _linear(value)
        self.projection = _linear(core.projection.weight, core.projection.bias + core.projection.weight @ bias[2])
        self.bias = nn.Parameter(attention.bias().detach().clone())

    def forward(self, rows: Tensor, side: int) -> Tensor:
        """Rows of tokens [B * side^2, dim] to the same shape."""
        query, key, value = (self._group(part(rows), side) for part in (self.query, self.key, self.value))
        weights = torch.softmax(query @ key.transpose(2, 3) + self.bias, dim=-1)
        projected: Tensor = self.projection(self._ungroup(weights @ value, side))
        return projected

    def _group(self, rows: Tensor, side: int) -> Tensor:
        """[B * side^2, dim] to [B * (side / size)^2, heads, size^2, dim / heads]."""
        size, count = self.size, side // self.size
        local = self.range is Range.LOCAL
        cells = (count, size, count, size) if local else (size, count, size, count)
        order = (0, 1, 3, 5, 2, 4, 6) if local else (0, 2, 4, 5, 1, 3, 6)
        grouped = rows.reshape(-1, *cells, self.heads, rows.shape[1] // self.heads).permute(*order)
        return grouped.reshape(-1, self.heads, size * size, rows.shape[1] // self.heads)

    def _ungroup(self, groups: Tensor, side: int) -> Tensor:
        """The inverse of `_group`."""
        size, count, depth = self.size, side // self.size, groups.shape[3]
        order = (0, 1, 4, 2, 5, 3, 6) if self.range is Range.LOCAL else (0, 4, 1, 5, 2, 3, 6)
        tokens = groups.reshape(-1, count, count, self.heads, size, size, depth).permute(*order)
        return tokens.reshape(-1, self.heads * depth)


class FlightEmbedding(nn.Module):
    """A multi-scale embedding layer whose wide kernels are computed together."""

    def __init__(self, embedding: MultiScaleEmbedding) -> None:
        super().__init__()
        assert not embedding.norm_first, "wide kernels look at images, which are not normalised first"
        wide = [p for p in embedding.projections if isinstance(p, WideConv2d)]
        self.narrow = nn.ModuleList(p for p in embedding.projections if not isinstance(p, WideConv2d))
        self.wide = RowConvolutions(wide)
        self.norm = embedding.norm

    def forward(self, x: Tensor) -> Tensor:
        """Image [B, H, W, 3] to embeddings [B, H/s, W/s, dim]."""
        planes = x.permute(0, 3, 1, 2)
        parts = [*(projection(planes) for projection in self.narrow), *self.wide(planes)]
        normalised: Tensor = self.norm(torch.cat(parts, dim=1).permute(0, 2, 3, 1))
        return normalised


class RowConvolutions(nn.Module):
    """Wide convolutions of one stride on the same image, each row of their kernels an output channel of its own.

    A kernel of n x n cells (of stride x stride pixels) for 4 channels would leave three quarters of a vector of 16
    idle: instead its n rows are 4 n channels of one convolution with kernels of 1 x n cells, for all kernels together,
    and the rows are added where they belong. The image is cut into cells by a convolution with unit kernels, which is
    exact and leaves them in the layout that the next one reads.
    """

    unit: Tensor

    def __init__(self, wide: list[WideConv2d]) -> None:
        super().__init__()
        self.stride = wide[0].stride[0]
        self.padding = max(int(conv.padding[0]) for conv in wide)
        channels = wide[0].in_channels * self.stride**2
        self.register_buffer("unit", torch.eye(channels).reshape(channels, -1, self.stride, self.stride))
        self.widths = [conv.out_channels for conv in wide]
        self.cells = [conv.kernel_size[0] // self.stride for conv in wide]
        kernels = [self._rows(conv, cells) for conv, cells in zip(wide, self.cells)]
        self.kernel = nn.Parameter(torch.cat(kernels).detach())
        self.biases = nn.ParameterList(conv.bias.detach().reshape(-1, 1, 1) for conv in wide if conv.bias is not None)

    def _rows(self, conv: WideConv2d, cells: int) -> Tensor:
        """Kernel [width, C, n s, n s] as rows [n width, C s^2, 1, N], in the middle of the N cells of the widest."""
        width, stride = conv.out_channels, self.stride
        split = conv.weight.reshape(width, -1, cells, stride, cells, stride).permute(2, 0, 1, 3, 5, 4)
        aside = (max(self.cells) - cells) // 2
        return functional.pad(split.reshape(cells * width, -1, 1, cells), (aside, aside))

    def forward(self, planes: Tensor) -> list[Tensor]:
        """Image [B, C, H, W] to what each convolution gives, [B, width, H/s, W/s]."""
        high = planes.shape[2] // self.stride
        rows = functional.conv2d(
            functional.conv2d(planes, self.unit, stride=self.stride, padding=self.padding), self.kernel
        )
        sizes = [width for width, cells in zip(self.widths, self.cells) for _ in range(cells)]
        parts = list(torch.split(rows, sizes, dim=1))
        results = []
        for cells, bias in zip(self.cells, self.biases):
            first = (max(self.cells) - cells) // 2
            shifted = [parts.pop(0)[:, :, first + k : first + k + high] for k in range(cells)]
            results.append(sum(shifted[1:], shifted[0]) + bias)
        return results


def gelu(x: Tensor) -> Tensor:
    """GELU in the order of operations that ONNX Runtime joins to one, which the order of PyTorch's exporter is not."""
    return x * (torch.erf(x / math.sqrt(2.0)) + 1.0) * 0.5


def _linear(weight: Tensor, bias: Tensor | None = None) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    layer.weight = nn.Parameter(weight.detach().clone())
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach().clone())
    return layer
