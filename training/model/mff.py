"""Multi-scale feature fusion (MFF): section 3.2, Fig. 5 and Table 1 of the paper."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def conv_bn_relu(in_channels: int, out_channels: int) -> nn.Sequential:
    """One row of Table 1: 3x3 convolution, stride 1, padding 1, with batch normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False), nn.BatchNorm2d(out_channels), nn.ReLU()
    )


class MultiScaleFusion(nn.Module):
    """Weight shallow features by deep ones and concatenate them, deep to shallow, on the grid of stage 4.

    `widths` are the channels of stages 1 to 4 after their 1x1 reductions: 64, 64, 128, 512 in the paper, which makes
    640, 704 and 768 channels after each concatenation. conv1 to conv10 are those of Table 1.
    """

    def __init__(self, dims: tuple[int, ...], widths: tuple[int, ...]) -> None:
        super().__init__()
        self.width = sum(widths)
        w1, w2, w3, w4 = widths
        self.reductions = nn.ModuleList(nn.Conv2d(dim, width, 1) for dim, width in zip(dims, widths))
        self.conv1 = conv_bn_relu(w4, w4)
        self.conv2 = conv_bn_relu(w4, w3)
        self.conv3 = conv_bn_relu(w3, w2)
        self.conv4 = conv_bn_relu(w4, w2)
        self.conv5 = conv_bn_relu(w4 + w3, w4 + w3)
        self.conv6 = conv_bn_relu(w2, w1)
        self.conv7 = conv_bn_relu(w3, w1)
        self.conv8 = conv_bn_relu(w4, w1)
        self.conv9 = conv_bn_relu(w4 + w3 + w2, w4 + w3 + w2)
        self.conv10 = conv_bn_relu(sum(widths), sum(widths))

    def forward(self, stages: list[Tensor]) -> Tensor:
        """Outputs of stages 1 to 4, each [B, S_i, S_i, dim_i], to fused features [B, S_4, S_4, sum(widths)]."""
        f1, f2, f3, f4 = self.reduce(stages)
        fused = self.conv5(torch.cat([self.conv1(f4), self.conv2(f4) * f3], dim=1))
        fused = self.conv9(torch.cat([fused, self.conv3(f3) * self.conv4(f4) * f2], dim=1))
        fused = self.conv10(torch.cat([fused, self.conv6(f2) * self.conv7(f3) * self.conv8(f4) * f1], dim=1))
        channels_last: Tensor = fused.permute(0, 2, 3, 1)
        return channels_last

    def reduce(self, stages: list[Tensor]) -> list[Tensor]:
        """Bring every stage to the grid of stage 4 and to its width; [B, width_i, S_4, S_4] each.

        A mean over cells and a 1x1 convolution commute, so the mean comes first, where it saves most work. Channels
        come first in memory as in the weights: with channels last, convolutions on a CPU reorder these, which are the
        larger part here, at every step, and MFF takes 1.4 times as long.
        """
        side = stages[-1].shape[1]
        reduced = []
        for features, reduction in zip(stages, self.reductions):
            pooled = functional.avg_pool2d(features.permute(0, 3, 1, 2), features.shape[1] // side)
            reduced.append(reduction(pooled.contiguous()))
        return reduced


class LastStage(nn.Module):
    """In place of MFF in an ablation: stage 4 as it is, `width` channels."""

    def __init__(self, dims: tuple[int, ...]) -> None:
        super().__init__()
        self.width = dims[-1]

    def forward(self, stages: list[Tensor]) -> Tensor:
        """Outputs of stages 1 to 4 to that of stage 4 [B, S_4, S_4, width]."""
        return stages[-1]
