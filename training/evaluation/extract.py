"""Image files to embeddings, by a checkpoint or by an exported model, each with its own preprocessing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mift_ros.errors import TrainingError
from mift_ros.inference.embedder import Embedder
from training.checkpoint import load_weights
from training.data.multiview.dataset import ImageSet
from training.data.multiview.images import INTERPOLATION, Pixels, load_images
from training.loop.preprocess import normalise
from training.model.network import Network

CHECKPOINT_SUFFIX = ".safetensors"
BATCH = 64

Progress = Callable[[int, int], None]
"""Called with the images done and all images."""


class Encoder(Protocol):
    """What makes embeddings of images."""

    @property
    def size(self) -> int:
        """Side of its images in pixels."""

    def embed(self, images: Pixels) -> Tensor:
        """Embeddings [B, D] float32, each of norm 1, of RGB images [B, size, size, 3], on the encoder's device."""


class NetworkEncoder:
    """A network of this package, in evaluation mode, where its parameters are."""

    def __init__(self, network: Network) -> None:
        self.network = network.eval()
        self._device = next(network.parameters()).device

    @property
    def size(self) -> int:
        """Side of its images in pixels."""
        return self.network.config.input_size

    @torch.no_grad()
    def embed(self, images: Pixels) -> Tensor:
        """Embeddings [B, D] of RGB images [B, size, size, 3]."""
        embeddings: Tensor = self.network(normalise(torch.from_numpy(images).to(self._device)))
        return embeddings.float()


class ModelEncoder:
    """An exported model, as the node runs it."""

    def __init__(self, embedder: Embedder) -> None:
        """Raises TrainingError for a model whose images are resized in another way than the evaluation does."""
        identity = embedder.identity
        if identity.interpolation != INTERPOLATION:
            raise TrainingError(
                f"{identity.name}: its images are resized by {identity.interpolation!r}, not done here; "
                f"export it with {INTERPOLATION!r}"
            )
        self._embedder = embedder

    @property
    def size(self) -> int:
        """Side of its images in pixels."""
        return self._embedder.identity.input_size

    def embed(self, images: Pixels) -> Tensor:
        """Embeddings [B, D] of RGB images [B, size, size, 3]."""
        return torch.from_numpy(self._embedder.embed(images))


def load_network(weights: Path) -> Network:
    """The trained network in evaluation mode, on the GPU if there is one; raises TrainingError as load_weights does."""
    return load_weights(weights).to("cuda" if torch.cuda.is_available() else "cpu")


def open_encoder(weights: str) -> Encoder:
    """Load weights (.safetensors), an exported model (.onnx) or a packaged model by its name; use the GPU if there is
    one. Raises TrainingError or ModelError when it cannot be used.
    """
    if weights.endswith(CHECKPOINT_SUFFIX):
        return NetworkEncoder(load_network(Path(weights)))
    from mift_ros.inference.load import load_embedder

    return ModelEncoder(load_embedder(weights))


def embed_images(encoder: Encoder, images: Pixels, flip: bool) -> Tensor:
    """Embeddings [B, D]; flip: of the sum of an image's and its mirror image's embedding, normalised again."""
    embeddings = encoder.embed(images)
    if not flip:
        return embeddings
    return functional.normalize(embeddings + encoder.embed(np.ascontiguousarray(images[:, :, ::-1])), dim=1)


@dataclass(frozen=True)
class Embedded:
    """Embeddings [N, D] of files, and the time they took."""

    row: dict[Path, int]
    embeddings: Tensor
    seconds: float

    def of(self, images: ImageSet) -> tuple[Tensor, Tensor]:
        """Embeddings and labels of some of the files, on the encoder's device."""
        device = self.embeddings.device
        rows = torch.tensor([self.row[path] for path in images.files], device=device)
        return self.embeddings[rows], torch.from_numpy(images.labels).to(device)

    @property
    def images_per_s(self) -> float:
        """Decoding included."""
        return len(self.row) / self.seconds


def embed_sets(
    encoder: Encoder, sets: Sequence[ImageSet], *, flip: bool, workers: int, progress: Progress | None = None
) -> Embedded:
    """Embed the files of several sets, each file once; raises TrainingError for a damaged file."""
    paths = list(dict.fromkeys(path for images in sets for path in images.files))
    start = time.perf_counter()
    parts = []
    for batch in load_images(paths, encoder.size, BATCH, workers):
        parts.append(embed_images(encoder, batch, flip))
        if progress:
            progress(min(len(parts) * BATCH, len(paths)), len(paths))
    return Embedded({path: row for row, path in enumerate(paths)}, torch.cat(parts), time.perf_counter() - start)
