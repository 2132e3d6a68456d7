"""Install a model from a file or a URL that the user names: nothing is kept that is not what its SHA-256 says.

The SHA-256 comes from the user, or from a file SOURCE.sha256 beside the model, as `sha256sum` writes it.
"""

from __future__ import annotations

import logging
import os
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from mift_ros.errors import ModelError
from mift_ros.files import write_file
from mift_ros.inference.engines import sha256_of
from mift_ros.inference.fetch import Missing, beside, is_url, open_source
from mift_ros.inference.installed import (
    CARD_SUFFIX,
    MODEL_SUFFIX,
    NAME,
    RECORD_SUFFIX,
    Record,
    folder,
    installed_path,
    read_record,
)
from mift_ros.inference.load import packaged_models
from mift_ros.inference.onnx import read_identity

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called with the bytes done and all bytes, 0 where the server does not say."""

SIDECAR_SUFFIX = ".sha256"
MAX_SIDECAR_BYTES = 64 << 10
MAX_CARD_BYTES = 1 << 20
CHUNK_BYTES = 1 << 18
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Wanted:
    """A model to install: source, file or URL; name, "" for that of the file; sha256, "" for that of the sidecar."""

    source: str
    name: str = ""
    sha256: str = ""
    max_bytes: int = 1 << 30
    replace: bool = False


def install(wanted: Wanted, progress: Progress = lambda done, total: None) -> tuple[str, Record]:
    """Fetch, check, and only then put in place; the name it has now, and its record.

    Raises:
        ModelError: a name that cannot be or is taken, no SHA-256 or another one, too large, not a model, or no network.
    """
    name = _name(wanted)
    expected = _expected(wanted)
    place = folder()
    try:
        place.mkdir(parents=True, exist_ok=True)
        # another process may install the same name
        partial = place / f"{name}.{uuid.uuid4().hex[:8]}.partial"
        try:
            return name, _install(wanted, name, expected, partial, progress)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise ModelError(f"{place}: cannot be written ({error.strerror})") from error


def _install(wanted: Wanted, name: str, expected: str, partial: Path, progress: Progress) -> Record:
    _download(wanted, partial, progress)
    _sync(partial)
    if (found := sha256_of(partial)) != expected:
        raise ModelError(f"{wanted.source}: its SHA-256 is {found}, not {expected}: another file, or an altered one")
    record = Record(found, partial.stat().st_size, wanted.source, read_identity(partial).weights_sha256)
    card = _card(wanted)
    # The record goes last: a model without one, or with another's, does not verify.
    model = partial.with_name(name + MODEL_SUFFIX)
    model.with_suffix(RECORD_SUFFIX).unlink(missing_ok=True)
    os.replace(partial, model)
    _replace_card(model.with_suffix(CARD_SUFFIX), card)
    write_file(model.with_suffix(RECORD_SUFFIX), record.to_json().encode())
    return record


def _name(wanted: Wanted) -> str:
    """The name to install under, free to be taken."""
    path = unquote(urlsplit(wanted.source).path) if is_url(wanted.source) else wanted.source
    name = wanted.name or Path(path).stem
    if not NAME.fullmatch(name):
        raise ModelError(f"{name!r} is no name of a model: letters, digits, dots, - and _; give one with --name")
    if name in packaged_models():
        raise ModelError(f"{name}: a model of this name ships with the package; install it under another with --name")
    if installed_path(name) and not wanted.replace:
        raise ModelError(
            f"{name}: installed already, from {read_record(name).source}; --replace takes this one instead"
        )
    return name


def _expected(wanted: Wanted) -> str:
    """The SHA-256 that the file must have."""
    if wanted.sha256:
        text = wanted.sha256.strip().lower()
    elif urlsplit(wanted.source).scheme == "http":
        raise ModelError(f"{wanted.source}: over http anybody may have altered it; give its --sha256, or use https")
    else:
        if not is_url(wanted.source) and not Path(wanted.source).is_file():
            raise ModelError(f"{wanted.source}: no such model file")
        words = _beside(wanted, SIDECAR_SUFFIX, MAX_SIDECAR_BYTES).decode(errors="replace").split()
        if not words:
            raise ModelError(f"{wanted.source}: no {SIDECAR_SUFFIX} file beside it; give its --sha256")
        text = words[0].lower()
    if not _SHA256.fullmatch(text):
        raise ModelError(f"{text[:80]!r} is no SHA-256: 64 hexadecimal digits")
    return text


def _download(wanted: Wanted, partial: Path, progress: Progress) -> None:
    """Write the source to `partial`."""
    done = 0
    with open_source(wanted.source) as (stream, total), partial.open("wb", buffering=0) as file:
        if total > wanted.max_bytes:
            raise ModelError(_too_large(wanted))
        while chunk := stream.read(CHUNK_BYTES):
            done += len(chunk)
            if done > wanted.max_bytes:
                raise ModelError(_too_large(wanted))
            _put(file, chunk)
            progress(done, total)
    if done < total:
        raise ModelError(f"{wanted.source}: ends after {done} of {total} bytes; try again")


def _put(file: BinaryIO, chunk: bytes) -> None:
    """Write all of it; a full disk is no fault of the connection."""
    rest = memoryview(chunk)
    try:
        while rest:
            rest = rest[file.write(rest) :]
    except OSError as error:
        raise ModelError(f"{file.name}: cannot be written ({error.strerror})") from error


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _too_large(wanted: Wanted) -> str:
    return f"{wanted.source}: more than {wanted.max_bytes / 1e6:.0f} MB; raise --max-mb if that is right"


def _beside(wanted: Wanted, suffix: str, most: int) -> bytes:
    """A small file beside the source; empty where there is none. A card takes the place of the model's suffix."""
    place = beside(wanted.source, suffix, MODEL_SUFFIX if suffix == CARD_SUFFIX else "")
    try:
        with open_source(place) as (stream, _):
            content = stream.read(most + 1)
    except Missing:
        return b""
    if len(content) > most:
        raise ModelError(f"{place}: more than {most >> 10} KiB, too large for what it should be")
    return content


def _card(wanted: Wanted) -> bytes:
    """The card beside the source; a model is not refused for want of one."""
    try:
        return _beside(wanted, CARD_SUFFIX, MAX_CARD_BYTES)
    except ModelError as error:
        logger.warning("%s; the model is installed without its card", error)
        return b""


def _replace_card(path: Path, content: bytes) -> None:
    """Without content there is none: that of a model before it would be of another."""
    if content:
        write_file(path, content)
    else:
        path.unlink(missing_ok=True)
