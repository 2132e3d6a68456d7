"""The machine and the versions that belong beside every measured figure."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mift_ros import __version__


def machine(*packages: str) -> str:
    """Two lines: processor, cores, Python and mift_ros; then those of `packages` that are installed, with versions."""
    first = f"{processor()}, {os.cpu_count()} logical cores, Python {platform.python_version()}, mift_ros {__version__}"
    return first + "\n" + ", ".join(f"{name} {found}" for name in packages if (found := _version(name)))


def processor() -> str:
    """The processor's name, as the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
