"""What scores queries against tiles: models by their embeddings, and whatever else is compared with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from training.evaluation.extract import BATCH, Encoder, open_encoder

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


class Matcher(Protocol):
    """Scores every query against every tile."""

    name: str

    @property
    def size(self) -> int:
        """Side of the images it is to be given, pixels."""

    def scores(self, queries: Pixels, tiles: Pixels) -> Floats:
        """Of RGB images [Q, S, S, 3] and [N, S, S, 3]: [Q, N], higher is more alike."""


class EmbeddingMatcher:
    """Cosines of a model's embeddings; the tiles last seen are not embedded again."""

    def __init__(self, name: str, encoder: Encoder) -> None:
        self.name = name
        self._encoder = encoder
        self._last: tuple[Pixels, Floats] | None = None

    @property
    def size(self) -> int:
        """The model's input."""
        return self._encoder.size

    def scores(self, queries: Pixels, tiles: Pixels) -> Floats:
        """See Matcher."""
        if self._last is None or self._last[0] is not tiles:
            self._last = tiles, self.embed(tiles)
        return np.asarray(self.embed(queries) @ self._last[1].T, np.float32)

    def embed(self, images: Pixels) -> Floats:
        """Embeddings [B, D] of RGB images [B, S, S, 3]."""
        starts = range(0, len(images), BATCH)
        return np.concatenate([self._encoder.embed(images[start : start + BATCH]).cpu().numpy() for start in starts])


def open_matchers(models: Sequence[str]) -> list[EmbeddingMatcher]:
    """One for each model: file or packaged name; of files with one name, the folder tells them apart."""
    stems = [Path(model).stem for model in models]
    names = [f"{Path(m).parent.name}/{s}" if stems.count(s) > 1 else s for m, s in zip(models, stems)]
    return [EmbeddingMatcher(name, open_encoder(model)) for name, model in zip(names, models)]
