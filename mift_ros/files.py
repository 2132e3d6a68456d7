"""Files that are either the old one or the new one, whenever the process ends or power goes; folders by their maker."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mift_ros.errors import ConfigError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside `path`; when the block ends well it is flushed and renamed, else nothing is left of it.

    Raises:
        OSError: it cannot be written.
    """
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.tmp")  # another process may write the same file
    try:
        temporary.touch(exist_ok=False)
        mode = temporary.stat().st_mode
        yield temporary
        os.chmod(temporary, mode)  # safetensors gives its files to their owner alone
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_file(path: Path, content: bytes | str) -> None:
    """The whole content, text as UTF-8, or nothing.

    Raises:
        OSError: it cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def claim_folder(folder: Path, mark: str) -> None:
    """Make a folder whose files may be replaced: a new one, an empty one, or one that an earlier call left its mark in.

    Raises:
        ConfigError: it holds what others put there.
        OSError: it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / mark).is_file() and any(folder.iterdir()):
        raise ConfigError(
            f"{folder}: holds files that this command did not make, and it replaces what is there; choose another one"
        )
    (folder / mark).touch()
