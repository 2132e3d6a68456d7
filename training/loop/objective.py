"""Network and loss as one module: what several processes run and average as a whole."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.loop.preprocess import normalise
from training.loop.processes import gather_rows
from training.losses.combined import CrossViewLoss
from training.model.network import Network, join_branches

CPU_CHUNK = 32
"""Images the stages take at once on a CPU: their activations stay near the caches. What follows sees all of them, since
batch normalisation over a part would tell which rows sit together."""
MOST_GROUPS = 65_535
"""Attention groups that a GPU takes at once: they are the third side of the grid that the backward pass of PyTorch's
memory-efficient attention launches, which a bias with a gradient needs."""


class Objective(nn.Module):
    """Rows of this process in, the loss over the rows of all processes out."""

    def __init__(self, network: Network, loss: CrossViewLoss, precision: str) -> None:
        """precision: of the network, float32 or bfloat16; the loss is computed in float32."""
        super().__init__()
        self.network = network
        self.loss = loss
        self.in_bfloat16 = precision == "bfloat16"
        self.cpu_chunk = CPU_CHUNK

    def forward(self, satellite: Tensor, drone: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Of uint8 views [N, S, S, 3] and labels [N]: scalars "loss", "batch_recall" and each term of the loss.

        batch_recall: share of the drone rows whose nearest satellite row shows their class.
        """
        views = self.branches(torch.cat([satellite, drone])).chunk(2)
        gallery, queries = gather_rows(torch.stack(views, dim=1)).unbind(1)
        labels = gather_rows(labels)
        total, terms = self.loss(gallery, queries, labels)
        return {"loss": total, "batch_recall": batch_recall(gallery.detach(), queries.detach(), labels), **terms}

    def images_at_once(self, device: torch.device) -> int:
        """Most images that the stages take together."""
        return self.cpu_chunk if device.type == "cpu" else max(MOST_GROUPS // self.network.config.most_groups, 1)

    def branches(self, images: Tensor) -> Tensor:
        """Float32 [B, K, d] of uint8 images [B, S, S, 3]."""
        chunk = self.images_at_once(images.device)
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self.in_bfloat16):
            chunks = [self.network.features(normalise(part)) for part in torch.split(images, chunk)]
            stages = [torch.cat(parts) for parts in zip(*chunks, strict=True)]
            return self.network.describe(stages).float()


def batch_recall(gallery: Tensor, queries: Tensor, labels: Tensor) -> Tensor:
    """Recall@1 among branches [B, K, d] of the rows of one step, a scalar."""
    nearest = (join_branches(queries) @ join_branches(gallery).T).argmax(dim=1)
    recall: Tensor = (labels[nearest] == labels).float().mean()
    return recall
