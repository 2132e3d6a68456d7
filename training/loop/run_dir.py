"""The folder of a run: one process at a time, and a record of what was run on what."""

from __future__ import annotations

import fcntl
import json
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from mift_ros import __version__
from mift_ros.errors import TrainingError
from mift_ros.files import write_file
from training.loop.state import STATE_FILE
from training.recipes.schema import Recipe

RECORD_FILE = "run.json"
LOCK_FILE = ".lock"
PACKAGES = ("torch", "accelerate", "numpy", "opencv-python-headless")


def check_run_dir(run_dir: Path, resume: bool) -> None:
    """Raise TrainingError where a run can neither start nor, with `resume`, go on."""
    if run_dir.exists() and not run_dir.is_dir():
        raise TrainingError(f"{run_dir}: not a folder; choose another --out")
    if not resume and (run_dir / STATE_FILE).exists():
        raise TrainingError(f"{run_dir}: holds another run; go on with --resume or choose a new --out folder")
    if resume and not (run_dir / STATE_FILE).is_file():
        raise TrainingError(f"{run_dir / STATE_FILE}: no checkpoint to resume; start the run without --resume")


@contextmanager
def claimed(run_dir: Path) -> Iterator[None]:
    """Make the folder and hold it; the system gives it back however the process ends.

    A record lock: workers, which are forked and may live a little longer, do not inherit it.
    """
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
        lock = (run_dir / LOCK_FILE).open("w")
    except OSError as error:
        raise TrainingError(f"{run_dir}: cannot be written ({error.strerror}); choose another --out") from error
    with lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            raise TrainingError(
                f"{run_dir}: another process trains into this folder; wait for it or choose another --out"
            ) from error
        yield


def record_start(run_dir: Path, recipe: Recipe, step: int, data: Path, device: torch.device, processes: int) -> None:
    """Write the recipe, and add to run.json from which step, on what and with which versions the run goes on."""
    path = run_dir / RECORD_FILE
    start = {
        "step": step,
        "data": str(data),
        "device": _device_name(device),
        "processes": processes,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": {"mift_ros": __version__, **{name: _version(name) for name in PACKAGES}},
    }
    starts = [*_starts(path), start] if step else [start]
    write_file(path, json.dumps({"recipe": recipe.to_dict(), "starts": starts}, indent=1))


def _starts(path: Path) -> list[dict[str, Any]]:
    try:
        starts: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["starts"]
    except (OSError, ValueError, KeyError):
        return []
    return starts


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"{device.type} ({platform.machine()})"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
