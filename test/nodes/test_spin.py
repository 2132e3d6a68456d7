"""What stops a node before it is one: one line, and exit code 2."""

import subprocess
import sys

import pytest

from mift_ros.nodes.transport import environment


def start(domain_id, *words, **variables):
    command = [sys.executable, "-m", "mift_ros.nodes.localizer", *words]
    return subprocess.run(
        command, env={**environment(domain_id), **variables}, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--params-file", "missing.yaml"], "'--params-file missing.yaml'. Error: Error opening YAML file"),
        (["-p", "foo"], "Couldn't parse parameter override rule: '-p foo'"),
        (["-r", "__ns:=bad-ns"], "Couldn't parse remap rule: '-r __ns:=bad-ns'"),
        (["--log-level", "nonsense"], "'--log-level nonsense'. Error: Argument does not use a valid severity level"),
        (["--bogus"], "unknown ROS arguments: ['--bogus']"),
        (["-p", "use_sim_time:=maybe"], "parameter 'use_sim_time' to 'maybe'"),
    ],
)
def test_arguments_that_ros_refuses(ros, words, says):
    ended = start(ros, "--ros-args", *words)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("mift_ros: ")]
    assert says in line


def test_without_ros_it_says_what_is_missing(tmp_path):
    (tmp_path / "rclpy.py").write_text("raise ImportError('no rclpy here')")
    ended = start(1, PYTHONPATH=str(tmp_path))
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert ended.stderr.startswith("mift_ros: ROS 2 is needed: rclpy cannot be imported (no rclpy here)")
