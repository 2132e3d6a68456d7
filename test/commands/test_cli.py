"""Whatever a command runs into is one line and exit code 2."""

import subprocess
import sys


def test_a_place_that_cannot_be_written_is_one_line_that_names_it(tmp_path):
    taken = tmp_path / "taken"
    taken.write_text("")
    command = [sys.executable, "-m", "mift_ros.cli", "demo", "-o", str(taken)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [f"mift: {taken}: File exists"]
