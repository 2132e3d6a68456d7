"""What a TensorRT engine was built from and for, and the record of it that lies beside the engine."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from mift_ros.errors import ModelError
from mift_ros.inference.embedder import ModelIdentity
from mift_ros.inference.profiles import parse_batches

FORMAT = 1
RECIPE = 1
"""How the graph and the builder are prepared: to be raised with every change of to_half, to_opset_17, FLOAT32_LAYERS or
the flags, so that engines of before are built again."""


class StaleEngineError(ModelError):
    """An engine that must not be loaded; the message says why."""


@dataclass(frozen=True)
class Platform:
    """What an engine is tied to: TensorRT's version, the GPU's name with its multiprocessors, compute capability."""

    tensorrt: str
    gpu: str
    compute_capability: str


@dataclass(frozen=True)
class EngineKey:
    """All that an engine was built from and for; two engines with one key do the same."""

    onnx_sha256: str
    precision: str
    batches: tuple[int, ...]
    tensorrt: str
    gpu: str
    compute_capability: str
    recipe: int = RECIPE

    @classmethod
    def of(cls, onnx_sha256: str, precision: str, batches: tuple[int, ...], platform: Platform) -> EngineKey:
        """The key of an engine built here from the ONNX file of that SHA-256."""
        return cls(onnx_sha256, precision, batches, platform.tensorrt, platform.gpu, platform.compute_capability)

    def differences(self, wanted: EngineKey) -> list[str]:
        """What differs from the key that is wanted, in words; empty when nothing does."""
        told = [
            (self.onnx_sha256, wanted.onnx_sha256, f"another ONNX model ({self.onnx_sha256[:12]})", None),
            (self.precision, wanted.precision, f"precision {self.precision}", wanted.precision),
            (self.batches, wanted.batches, f"batches {_list(self.batches)}", _list(wanted.batches)),
            (self.tensorrt, wanted.tensorrt, f"TensorRT {self.tensorrt}", wanted.tensorrt),
            (self.gpu, wanted.gpu, f"the GPU {self.gpu}", wanted.gpu),
            (
                self.compute_capability, wanted.compute_capability,
                f"compute capability {self.compute_capability}", wanted.compute_capability,
            ),
            (self.recipe, wanted.recipe, f"recipe {self.recipe}", str(wanted.recipe)),
        ]  # fmt: skip
        return [text + (f", not {now}" if now else "") for built, asked, text, now in told if built != asked]


@dataclass(frozen=True)
class EngineRecord:
    """What lies beside an engine as JSON."""

    key: EngineKey
    identity: ModelIdentity
    engine_sha256: str
    engine_bytes: int

    def to_json(self) -> str:
        """The text of the file."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str, where: str) -> EngineRecord:
        """Parse to_json's text.

        Raises:
            StaleEngineError: damaged, or of another format.
        """
        try:
            raw: dict[str, Any] = json.loads(text)
            if raw.pop("format") != FORMAT:
                raise ValueError("another format")
            batches, recipe = parse_batches(_list(raw["key"]["batches"])), int(raw["key"]["recipe"])
            key = EngineKey(**{**raw["key"], "batches": batches, "recipe": recipe})
            identity = ModelIdentity.from_json(json.dumps(raw["identity"]), where)
            return cls(key, identity, str(raw["engine_sha256"]), int(raw["engine_bytes"]))
        except (ValueError, TypeError, KeyError, AttributeError, ModelError) as error:
            raise StaleEngineError(f"{where}: its record cannot be read ({error})") from error


def _list(batches: tuple[int, ...]) -> str:
    return ",".join(str(batch) for batch in batches)
