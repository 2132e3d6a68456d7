"""Where a command may write: asked before the work rather than after it, and never over what somebody else made."""

from __future__ import annotations

import os
from pathlib import Path

from mift_ros.errors import ConfigError

LENGTH_BYTES = 8
CACHE_HEAD = b'{"__metadata__": {"format": "mift-map-cache'
"""What follows the length in every cache, and in every unfinished one."""


def make_folder(folder: Path, what: str) -> None:
    """Make the folder that `what` will be written to.

    Raises:
        ConfigError: there can be none, or nothing can be written to it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder}: no folder for {what} ({error.strerror})") from error
    if not os.access(folder, os.W_OK):
        raise ConfigError(f"{folder}: no folder for {what} (it cannot be written to)")


def require_new(out: Path) -> None:
    """Raise ConfigError where something is there already: one of the inputs, for example."""
    if os.path.lexists(out):
        raise ConfigError(f"{out}: exists already and is not replaced; choose another name or remove it")


def require_cache_or_new(out: Path) -> None:
    """Let a cache be replaced, and what an interrupted build left of one; a folder is left to the build to refuse.

    Raises:
        ConfigError: another file lies where the cache, or its unfinished part, is to be written: the map, for example.
    """
    from mift_ros.cache.workfile import partial_path

    if out.is_dir():
        return
    for path in (out, partial_path(out)):
        if os.path.lexists(path) and not _is_cache(path):
            raise ConfigError(
                f"{path}: exists already and is no map cache, so it is not replaced; choose another name or remove it"
            )


def _is_cache(path: Path) -> bool:
    """Whether it begins as caches do, finished or not, damaged or not; nothing is lost with an empty file."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(LENGTH_BYTES + len(CACHE_HEAD))
    # before its first checkpoint an unfinished one is zeros
    return head[LENGTH_BYTES:] == CACHE_HEAD or (path.suffix == ".partial" and not any(head)) or not head
