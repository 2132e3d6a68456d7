"""Whatever a command runs into is one line and exit code 2."""

import subprocess
import sys

import pytest


def test_a_place_that_cannot_be_written_is_one_line_that_names_it(tmp_path):
    taken = tmp_path / "taken"
    taken.write_text("")
    command = [sys.executable, "-m", "mift_ros.cli", "demo", "-o", str(taken)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [f"mift: {taken}: File exists"]


FULL_DISK = """
import resource, sys
import numpy as np
from mift_ros import cli
from mift_ros.files import write_file
from mift_ros.simulation.geotiff import write_geotiff
from mift_ros.simulation.record import FlightWriter, Storage
from pathlib import Path

def fly(path, storage):
    with FlightWriter(path, Storage(storage)) as writer:
        for k in range(8):
            writer.image(k * 10**9, np.zeros((300, 400, 3), np.uint8), compress=False)

resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, 1_500_000))
kind, path = sys.argv[1], Path(sys.argv[2])
noise = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), dtype=np.uint8)
ways = {"file": lambda: write_file(path, bytes(2_000_000)), "geotiff": lambda: write_geotiff(noise, path, 45.5, -5, 1)}
cli._root = lambda called: ways.get(kind, lambda: fly(path, kind))
cli.main()
"""


@pytest.mark.parametrize(
    ("kind", "line"), [("file", ""), *((kind, "{path} cannot be written: ") for kind in ("mcap", "sqlite3", "geotiff"))]
)
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, kind, line):
    """The limit on a file's size fails the same calls in the same way; which file it was, the system does not say."""
    path = tmp_path / "out"
    command = [sys.executable, "-c", FULL_DISK, kind, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2, done.stderr
    (told,) = (line for line in done.stderr.splitlines() if not line.startswith("_tiff"))  # GDAL's own
    assert told.startswith("mift: " + line.format(path=path))
    assert list(tmp_path.iterdir()) == []
