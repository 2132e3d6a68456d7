"""From uint8 images to the network's input."""

from __future__ import annotations

import torch
from torch import Tensor

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""ImageNet's, in RGB order; they travel in the identity of every exported model."""


def normalise(images: Tensor) -> Tensor:
    """RGB uint8 [B, S, S, 3] to float32 [B, 3, S, S], mean 0 and deviation 1 of ImageNet."""
    mean, std = torch.tensor(MEAN), torch.tensor(STD)
    return ((images.float() / 255.0 - mean) / std).permute(0, 3, 1, 2)
