"""A checkpoint in PyTorch behind the Embedder protocol: what every export is compared with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from mift_ros.inference.embedder import ModelIdentity
from mift_ros.inference.preprocess import Preprocessor
from training.checkpoint import load_weights, read_identity
from training.model.network import Network


class NetworkEmbedder:
    """A network, float32 on the CPU; implements Embedder."""

    provider = "PyTorch"

    def __init__(self, model: Network, identity: ModelIdentity) -> None:
        self.identity = identity
        self._model = model.eval()
        self._preprocess = Preprocessor(identity)

    def embed(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Embed RGB images [B, H, W, 3] uint8; returns [B, embedding_dim] float32, each row of norm 1."""
        with torch.inference_mode():
            return np.asarray(self._model(torch.from_numpy(self._preprocess(images))).numpy())


class TorchEmbedder(NetworkEmbedder):
    """The network of a checkpoint."""

    def __init__(self, path: Path) -> None:
        """Load a checkpoint.

        Raises:
            TrainingError: it cannot be used.
        """
        super().__init__(load_weights(path), read_identity(path))
