"""The launch file, run by `launch` where ROS brings it; a script in place of the node tells how it was started."""

import json
import os
import sys
from pathlib import Path

import pytest

pytest.importorskip("launch_ros")

REPOSITORY = Path(__file__).resolve().parents[2]
VARIABLE = "FASTRTPS_DEFAULT_PROFILES_FILE"
TELL = """#!{python}
import json, os, sys
with open({out!r} + sys.argv[1].strip("-"), "w") as told:
    json.dump({{"profile": os.environ.get("FASTRTPS_DEFAULT_PROFILES_FILE"), "words": sys.argv[1:]}}, told)
"""


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Run the launch file with arguments and variables: what the node and a process started after it were given."""
    from launch import LaunchDescription, LaunchService
    from launch.actions import ExecuteProcess, IncludeLaunchDescription
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    share, library = tmp_path / "share/mift_ros", tmp_path / "lib/mift_ros"
    for folder in (share, library, tmp_path / "share/ament_index/resource_index/packages"):
        folder.mkdir(parents=True)
    (tmp_path / "share/ament_index/resource_index/packages/mift_ros").touch()
    (share / "config").symlink_to(REPOSITORY / "config")
    script = library / "localizer"
    script.write_text(TELL.format(python=sys.executable, out=f"{tmp_path}/told."))
    script.chmod(0o755)
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    for name in (VARIABLE, "FASTDDS_DEFAULT_PROFILES_FILE", "ROS_LOCALHOST_ONLY"):
        monkeypatch.delenv(name, raising=False)

    def run(arguments, variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        source = PythonLaunchDescriptionSource(str(REPOSITORY / "launch/localizer.launch.py"))
        service = LaunchService(noninteractive=True)
        included = IncludeLaunchDescription(source, launch_arguments=list(arguments.items()))
        after = ExecuteProcess(cmd=[str(script), "after"])
        service.include_launch_description(LaunchDescription([included, after]))
        assert service.run() == 0
        return [json.loads((tmp_path / f"told.{name}").read_text()) for name in ("ros-args", "after")]

    return run


def test_the_profile_is_the_nodes_alone(start, tmp_path):
    node, after = start({}, {})
    assert node["profile"] == str(tmp_path / "share/mift_ros/config/fastdds.xml")
    assert after["profile"] is None
    assert VARIABLE not in os.environ


@pytest.mark.parametrize(
    ("arguments", "variables", "profile"),
    [
        ({"transport_profile": "false"}, {}, None),
        ({}, {VARIABLE: "/own.xml"}, "/own.xml"),
        ({}, {"FASTDDS_DEFAULT_PROFILES_FILE": "/own.xml"}, None),
        ({}, {"ROS_LOCALHOST_ONLY": "1"}, None),
    ],
)
def test_the_profile_is_left_out_where_it_is_unwanted(start, arguments, variables, profile):
    assert start(arguments, variables)[0]["profile"] == profile


def test_simulated_time_is_left_to_the_parameter_file(start):
    files = [Path(word) for word in start({}, {})[0]["words"] if word.endswith(".yaml") or "launch_params" in word]
    assert files and not [file for file in files if file.is_file() and "use_sim_time" in file.read_text()]
