"""What can be exported: a checkpoint, or an untrained variant to develop with."""

from __future__ import annotations

from pathlib import Path

import torch

from mift_ros.errors import ExportError
from mift_ros.inference.embedder import ModelIdentity
from training.checkpoint import identify, load_weights, read_identity
from training.model.mift import VARIANTS, build
from training.model.network import Network


def load(weights: str, seed: int) -> tuple[Network, ModelIdentity]:
    """The network and its identity: `weights` is a checkpoint file, or a variant's name for untrained, seeded weights.

    Raises:
        ExportError: it is neither.
        TrainingError: the checkpoint cannot be used.
    """
    if weights in VARIANTS:
        torch.manual_seed(seed)
        model = build(weights).eval()
        return model, identify(model, recipe=f"untrained, seed {seed}")
    path = Path(weights)
    if not path.is_file():
        raise ExportError(f"{weights}: no such checkpoint, and not a variant ({', '.join(VARIANTS)})")
    return load_weights(path), read_identity(path)
