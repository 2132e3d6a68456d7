"""From uint8 images to the network's input."""

from __future__ import annotations

import torch
from torch import Tensor

from training.checkpoint import IMAGENET_MEAN, IMAGENET_STD


def normalise(images: Tensor) -> Tensor:
    """RGB uint8 [B, S, S, 3] to float32 [B, 3, S, S], mean 0 and deviation 1 of ImageNet, on the same device."""
    mean = torch.tensor(IMAGENET_MEAN, device=images.device)
    std = torch.tensor(IMAGENET_STD, device=images.device)
    return ((images.float() / 255.0 - mean) / std).permute(0, 3, 1, 2)
