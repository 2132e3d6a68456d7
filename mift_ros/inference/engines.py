"""The engine store: a TensorRT engine is loaded where, and only where, it was built for exactly this.

Beside each engine lies NAME.engine.json: the key it was built for, the model's identity, its size and SHA-256. The
engine is written first and the JSON last, each to a temporary name and renamed, so that whatever is cut short has no
JSON or one that does not fit.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path

from mift_ros.errors import ModelError
from mift_ros.files import write_file
from mift_ros.inference.embedder import ModelIdentity
from mift_ros.inference.engine_key import EngineKey, EngineRecord, StaleEngineError

SUFFIX = ".engine"
MAX_ENGINE_BYTES = 4 << 30
MAX_RECORD_BYTES = 64 << 10
FOLDER_VARIABLE = "MIFT_ENGINES"
"""Environment variable that moves the store; by default it is mift_ros/engines in the user's cache folder."""


def default_folder() -> Path:
    """Where engines are kept: $MIFT_ENGINES, else mift_ros/engines under $XDG_CACHE_HOME or ~/.cache."""
    if os.environ.get(FOLDER_VARIABLE):
        return Path(os.environ[FOLDER_VARIABLE])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mift_ros" / "engines"


def engine_path(onnx: Path, precision: str, folder: Path | None = None) -> Path:
    """The place of a model's engine of one precision; a second build takes the place of the first."""
    return (folder or default_folder()) / f"{onnx.stem}.{precision}{SUFFIX}"


def is_stored(path: Path) -> bool:
    """Whether there is an engine, good or not.

    Raises:
        StaleEngineError: the store cannot be looked into.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise StaleEngineError(f"{path}: cannot be read ({error.strerror})") from error
    return True


def read_record(path: Path) -> EngineRecord:
    """The record beside an engine.

    Raises:
        StaleEngineError: there is no engine, no record, or an unreadable one.
    """
    beside = record_path(path)
    try:
        if not path.is_file():
            raise StaleEngineError(f"{path}: no such engine")
        if not beside.is_file():
            raise StaleEngineError(f"{path}: no record {beside.name} beside it: copied without it, or half written")
        if beside.stat().st_size > MAX_RECORD_BYTES:
            raise StaleEngineError(f"{beside}: too large to be a record")
        text = beside.read_text(errors="replace")
    except OSError as error:
        raise StaleEngineError(f"{beside}: cannot be read ({error.strerror})") from error
    return EngineRecord.from_json(text, str(beside))


def check_key(path: Path, record: EngineRecord, wanted: EngineKey) -> None:
    """Refuse an engine that was built from or for something else.

    Raises:
        StaleEngineError: it was; the message names every difference.
    """
    different = record.key.differences(wanted)
    if different:
        raise StaleEngineError(f"{path}: built for {'; '.join(different)}")


def read_engine(path: Path, record: EngineRecord) -> bytes:
    """The engine's bytes, exactly those that were written.

    Raises:
        StaleEngineError: of another size (half written), altered, too large or unreadable.
    """
    try:
        size = path.stat().st_size
        if size != record.engine_bytes or size > MAX_ENGINE_BYTES:
            raise StaleEngineError(f"{path}: {size} bytes instead of {record.engine_bytes}: half written or altered")
        engine = path.read_bytes()
    except OSError as error:
        raise StaleEngineError(f"{path}: cannot be read ({error.strerror})") from error
    if hashlib.sha256(engine).hexdigest() != record.engine_sha256:
        raise StaleEngineError(f"{path}: its SHA-256 is not the recorded one: altered since it was built")
    return engine


def write_engine(path: Path, engine: bytes, key: EngineKey, identity: ModelIdentity) -> EngineRecord:
    """Store an engine and its record; who writes the same engine meanwhile waits, so that they stay a pair.

    Raises:
        ModelError: the folder cannot be written to, or the disk is full.
    """
    record = EngineRecord(key, identity, hashlib.sha256(engine).hexdigest(), len(engine))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.with_suffix(".lock").open("w") as lock:  # stays: removed, it would lock nobody out
            fcntl.flock(lock, fcntl.LOCK_EX)
            write_file(path, engine)
            write_file(record_path(path), record.to_json().encode())
    except OSError as error:
        raise ModelError(f"{path}: the engine cannot be written ({error.strerror})") from error
    return record


def record_path(path: Path) -> Path:
    """The JSON beside an engine."""
    return path.with_name(path.name + ".json")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, read in pieces.

    Raises:
        ModelError: it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error
    return digest.hexdigest()
