"""What a child process is taken to complain of: while it runs, only of what it calls an error."""

import time

import pytest

from mift_ros.nodes.processes import RosProcess

TALKER = """
import sys, time
print(sys.argv[1], file=sys.stderr, flush=True)
print("said", flush=True)
if sys.argv[2:] == ["stay"]:
    time.sleep(60)
"""
INFO = "[INFO] [localizer]: backend CPUExecutionProvider (ONNX Runtime's CUDA provider failed: no libcuda)"
ERROR = "[ERROR] [localizer]: on_configure failed: parameter cache_path is empty"


@pytest.fixture
def complaint(tmp_path, monkeypatch):
    (tmp_path / "talker.py").write_text(TALKER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def of(*words):
        with RosProcess("talker", words, 1, tmp_path / "log.txt", read=True) as process:
            assert process.output.readline() == "said\n"
            until = time.monotonic() + 30
            while "stay" not in words and process.running() and time.monotonic() < until:
                time.sleep(0.01)
            return process.complaint()

    return of


def test_a_backend_that_gave_way_to_another_is_no_failure_of_a_node_that_runs(complaint):
    assert complaint(INFO, "stay") == ""
    assert complaint(ERROR, "stay") == ERROR


def test_what_nobody_reads_is_in_the_log(tmp_path, monkeypatch):
    (tmp_path / "talker.py").write_text(TALKER.replace('"said"', '"said" * 50_000'))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with RosProcess("talker", [INFO], 1, tmp_path / "log.txt") as process:
        assert process.wait() == 0  # a pipe that nobody reads would be full
    assert "saidsaid" in (tmp_path / "log.txt").read_text()


def test_of_a_process_that_ended_whatever_sounds_like_a_reason_is_one(complaint):
    assert complaint("ModuleNotFoundError: No module named 'rclpy'").startswith("ModuleNotFoundError")
