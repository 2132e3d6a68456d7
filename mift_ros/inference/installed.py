"""Models that the user installed: NAME.onnx with its record NAME.json and, if it has one, its card NAME.md.

A model is looked up here and never fetched: `mift weights install` puts it here, before flight.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

from mift_ros.errors import ModelError
from mift_ros.inference.engines import sha256_of

FOLDER_VARIABLE = "MIFT_WEIGHTS"
"""Environment variable that moves the folder; by default it is mift_ros/weights in the user's data folder."""
MODEL_SUFFIX, RECORD_SUFFIX, CARD_SUFFIX = ".onnx", ".json", ".md"
MAX_RECORD_BYTES = 64 << 10
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Record:
    """What was installed: SHA-256 and size of the file, where it came from, and the SHA-256 of its weights."""

    sha256: str
    nbytes: int
    source: str
    weights_sha256: str

    def to_json(self) -> str:
        """The content of the file beside the model."""
        return json.dumps(asdict(self), indent=1)


def folder() -> Path:
    """Where models are installed: $MIFT_WEIGHTS, else mift_ros/weights under $XDG_DATA_HOME or ~/.local/share."""
    if os.environ.get(FOLDER_VARIABLE):
        return Path(os.environ[FOLDER_VARIABLE])
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "mift_ros" / "weights"


def installed_models() -> list[str]:
    """Names of the models that are installed."""
    return sorted(path.stem for path in folder().glob(f"*{MODEL_SUFFIX}"))


def installed_path(name: str) -> Path | None:
    """The file of an installed model; None for any other text, such as a path."""
    path = folder() / f"{name}{MODEL_SUFFIX}"
    return path if NAME.fullmatch(name) and path.is_file() else None


def read_record(name: str) -> Record:
    """The record of an installed model.

    Raises:
        ModelError: there is none, or it cannot be read.
    """
    path = folder() / f"{name}{RECORD_SUFFIX}"
    try:
        if path.stat().st_size > MAX_RECORD_BYTES:
            raise ModelError(f"{path}: too large to be a record; install {name} again")
        raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        record = Record(**raw)
        if [type(value) for value in astuple(record)] != [str, int, str, str]:
            raise TypeError("a value of another type")
        return record
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise ModelError(f"{path}: no record that can be read; install {name} again with --replace") from error


def verify_installed(name: str) -> Record:
    """The record of a model whose file is still the one that was installed.

    Raises:
        ModelError: no such model, no record, or the file is another.
    """
    path = installed_path(name)
    if path is None:
        raise ModelError(f"{name}: not installed in {folder()}")
    record = read_record(name)
    if path.stat().st_size != record.nbytes or sha256_of(path) != record.sha256:
        raise ModelError(f"{path}: not the file that was installed (SHA-256 differs); install it again with --replace")
    return record
