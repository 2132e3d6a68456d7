"""What every runtime offers, and the identity that travels with the weights."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from mift_ros.errors import ModelError

METADATA_KEY = "mift"
"""Key of the ONNX metadata property and of the checkpoint metadata that holds the identity as JSON."""

PRECISIONS = ("fp32", "fp16", "int8")


@dataclass(frozen=True)
class ModelIdentity:
    """Model name, preprocessing and provenance; the cache, the node and the evaluator read them from here only."""

    name: str
    variant: str
    input_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    colour_order: str
    interpolation: str
    embedding_dim: int
    regions: int
    recipe: str
    weights_sha256: str
    precision: str = "fp32"
    """Of the file: one of PRECISIONS. The weights are known by the SHA-256 of the float32 ones in each of them."""

    def to_json(self) -> str:
        """One-line JSON, the value stored under METADATA_KEY."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str, where: str) -> ModelIdentity:
        """Parse to_json's text; `where` names the file in the error."""
        try:
            raw: dict[str, Any] = json.loads(text)
            wanted = {f.name for f in fields(cls)}
            values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in raw.items() if k in wanted}
            identity = cls(**values)
            identity.check()
            return identity
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise ModelError(f"{where}: the model identity cannot be read ({error}); export the model again") from error

    def check(self) -> None:
        """Raise ValueError, TypeError or OverflowError when a value is out of range or of another type."""
        for name in ("name", "variant", "colour_order", "interpolation", "recipe", "weights_sha256"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"{name} is {getattr(self, name)!r}, not text")
        for name, limit in (("input_size", 4096), ("embedding_dim", 65536)):
            value = getattr(self, name)
            if not isinstance(value, int) or not 1 <= value <= limit:
                raise ValueError(f"{name} is {value!r}, not a whole number from 1 to {limit}")
        if len(self.mean) != 3 or len(self.std) != 3 or not all(math.isfinite(v) for v in self.mean + self.std):
            raise ValueError(f"mean {self.mean} and std {self.std} must be three numbers each")
        if min(self.std) <= 0:
            raise ValueError(f"std {self.std} must be positive")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision {self.precision!r} is none of {', '.join(PRECISIONS)}")


class Embedder(Protocol):
    """One image, one L2-normalised vector; the same for the cache builder and for flight."""

    @property
    def identity(self) -> ModelIdentity:
        """Name, preprocessing and weights of the loaded model."""
        ...

    def embed(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Embed RGB images [B, H, W, 3] uint8; returns [B, embedding_dim] float32, each row of norm 1."""
        ...
