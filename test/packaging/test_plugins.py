"""Commands that installed packages add to `mift`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
MODULE = '''
import sys
def dawn(minutes: int = 5) -> None:
    """Measure until the sun rises."""
    print(f"{minutes} minutes")
'''


@pytest.fixture
def mift(tmp_path):
    """Run `mift` where a package is installed that adds `mift bench dawn`."""
    (tmp_path / "sunrise.py").write_text(MODULE)
    installed = tmp_path / "sunrise-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: sunrise\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[mift.commands]\nbench.dawn = sunrise:dawn\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path), str(REPOSITORY)))}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mift_ros.cli", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)

    return run


def test_a_package_adds_a_command_to_a_group_with_its_help_beside_the_groups_own(mift):
    shown = mift("bench", "--help").stdout
    assert "dawn" in shown
    assert "Measure until the sun rises." in shown
    assert "inference" in shown
    assert mift("bench", "dawn", "--minutes", "3").stdout == "3 minutes\n"


def test_the_root_help_imports_no_command_of_a_package(mift, tmp_path):
    (tmp_path / "sunrise.py").write_text("raise SystemExit('imported')")
    assert mift("--help").returncode == 0
    assert mift("bench", "--help").stderr == "imported\n"
