"""NAME.check.json: what `mift export check` found of a model or engine. What failed is not flown."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mift_ros.errors import ModelError
from mift_ros.inference.embedder import ModelIdentity
from mift_ros.inference.engines import MAX_RECORD_BYTES, sha256_of

FORMAT = 1

logger = logging.getLogger(__name__)


class FailedCheckError(ModelError):
    """A model or engine whose check failed; the message says of what."""


@dataclass(frozen=True)
class CheckReport:
    """What was compared with what, over which imagery, and what came of it; `failures` is empty where it passed."""

    model: str
    model_sha256: str
    reference: str
    reference_sha256: str
    identity: ModelIdentity
    runtime: str
    imagery: tuple[str, ...]
    figures: dict[str, float]
    limits: dict[str, float]
    failures: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """'pass' or 'fail'."""
        return "fail" if self.failures else "pass"

    def to_json(self) -> str:
        """The text of the file."""
        return json.dumps({"format": FORMAT, "verdict": self.verdict, **asdict(self)}, indent=1, sort_keys=True)


def report_path(model: Path) -> Path:
    """The report beside a model or engine."""
    return model.with_name(f"{model.name}.check.json")


def require_not_failed(model: Path) -> None:
    """Refuse a model or engine that failed its check; without a report there is nothing to refuse.

    A report of another file, as a new export under the old name leaves it, counts as none and is warned of.

    Raises:
        FailedCheckError: the report of this very file says fail.
    """
    path = report_path(model)
    if not path.is_file():
        return
    try:
        raw = _read(path)
        sha256, verdict, failures = str(raw["model_sha256"]), raw["verdict"], [str(text) for text in raw["failures"]]
    except (OSError, ValueError, TypeError, KeyError) as error:
        logger.warning("%s: ignored, it cannot be read (%s); 'mift export check' writes it again", path, error)
        return
    if sha256 != sha256_of(model):
        logger.warning("%s: ignored, it is of another file than %s; run 'mift export check' again", path, model.name)
    elif verdict != "pass":
        raise FailedCheckError(
            f"{model}: its check failed ({'; '.join(failures)}), so it is not flown; see {path.name}, export it again"
        )


def _read(path: Path) -> dict[str, Any]:
    if path.stat().st_size > MAX_RECORD_BYTES:
        raise ValueError("too large")
    raw = json.loads(path.read_text(errors="replace"))
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise ValueError("another format")
    return raw
