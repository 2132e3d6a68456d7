"""setup.cfg, package.xml, the Makefile's pins and the files ROS looks for agree with each other."""

import configparser
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import mift_ros

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def setup_cfg():
    parser = configparser.ConfigParser()
    parser.read(REPOSITORY / "setup.cfg")
    return parser


@pytest.fixture(scope="module")
def package_xml():
    return ElementTree.parse(REPOSITORY / "package.xml").getroot()


def names(lines):
    """Distribution names of requirement lines."""
    return {re.split(r"[ \[=<>;~]", line)[0].lower() for line in lines.strip().splitlines() if line and line[0] != "#"}


def test_package_xml_is_of_the_same_package(setup_cfg, package_xml):
    assert package_xml.get("format") == "3"
    assert package_xml.findtext("name") == setup_cfg["metadata"]["name"] == "mift_ros"
    assert package_xml.findtext("version") == mift_ros.__version__
    assert package_xml.findtext("license") == setup_cfg["metadata"]["license"] == "Apache-2.0"
    assert package_xml.findtext("export/build_type") == "ament_python"


def test_package_xml_asks_rosdep_for_nothing_that_only_pip_has(package_xml):
    keys = {element.text for element in package_xml if element.tag.endswith("depend")}
    assert not [key for key in keys if re.search("torch|onnx|tensorrt|safetensors|rosbags", key)]


def test_flying_needs_neither_torch_nor_ros(setup_cfg):
    needed = names(setup_cfg["options"]["install_requires"])
    assert not [name for name in needed if name.startswith("ros") or name in ("torch", "onnx", "onnxruntime")]


def test_install_md_asks_pip_for_the_minima_that_apt_falls_short_of(setup_cfg):
    """Ubuntu 22.04 has pyproj 3.3, rasterio 1.2, rich 11.2 and typer 0.4; colcon asks for no version."""
    needed = setup_cfg["options"]["install_requires"].replace(" ", "").splitlines()
    (line,) = re.findall("^pip install 'numpy<2'.*$", (REPOSITORY / "docs/install.md").read_text(), re.MULTILINE)
    asked = [word for word in re.findall("'([^']+)'", line) if ">=" in word]
    assert {re.split(">=", word)[0] for word in asked} == {"pyproj", "rasterio", "rich", "typer"}
    assert set(asked) <= set(needed)


def test_every_ros_wheel_is_pinned_and_limited_to_where_it_exists(setup_cfg):
    lines = [line for line in setup_cfg["options.extras_require"]["ros"].splitlines() if line]
    pins = dict(line.split("==") for line in (REPOSITORY / "constraints/ros-jazzy.txt").read_text().splitlines()[1:])
    for line in lines:
        name, version = re.match(r"([a-z-]+)(?:\[\w+\])? == ([\d.]+); ", line).groups()
        assert pins[name] == version
        assert line.endswith('sys_platform == "linux" and platform_machine == "x86_64"')


def test_every_direct_requirement_is_pinned_for_the_makefile(setup_cfg):
    extras = setup_cfg["options.extras_require"]
    wanted = names(setup_cfg["options"]["install_requires"])
    wanted |= {name for extra in ("cpu", "eval", "train", "export", "dev") for name in names(extras[extra])}
    assert wanted <= names((REPOSITORY / "constraints/python.txt").read_text())


def test_no_file_names_a_package_index():
    files = [
        *REPOSITORY.glob("constraints/*"),
        REPOSITORY / "Makefile",
        REPOSITORY / "setup.cfg",
        REPOSITORY / ".ci/run",
    ]
    assert not [file for file in files if re.search("index-url|find-links|https?://", file.read_text())]


@pytest.mark.skipif(os.name != "posix", reason="shell scripts")
@pytest.mark.parametrize("where", ["venv", "workspace"])
def test_shims_run_the_module_with_the_interpreter_beside_them_or_the_shells(setup_cfg, tmp_path, where):
    """`ros2 launch` starts lib/mift_ros/NAME; a colcon workspace has no interpreter of its own."""
    scripts = dict(re.findall(r"(\w+) = ([\w.]+):main", setup_cfg["options.entry_points"]["console_scripts"]))
    for shim in (REPOSITORY / "libexec").iterdir():
        assert os.access(shim, os.X_OK)
        prefix = tmp_path / shim.name
        for folder in ("bin", "lib/mift_ros"):
            (prefix / folder).mkdir(parents=True)
        interpreter = (prefix if where == "venv" else tmp_path) / "bin/python3"
        interpreter.parent.mkdir(exist_ok=True)
        interpreter.write_text('#!/bin/sh\necho "$2" | grep -o "from.*import main"\nshift 2\necho "$@"\n')
        interpreter.chmod(0o755)
        placed = prefix / "lib/mift_ros" / shim.name
        placed.write_bytes(shim.read_bytes())
        placed.chmod(0o755)
        environment = {**os.environ, "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"}
        command = [placed, "--ros-args", "a b"]
        said = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
        assert said == f"from {scripts[shim.name]} import main\n--ros-args a b\n"


@pytest.mark.skipif(os.name != "posix", reason="shell scripts")
def test_a_shim_takes_no_module_of_the_working_directory(tmp_path):
    prefix, here = tmp_path / "prefix", tmp_path / "here"
    for folder in (prefix / "bin", prefix / "lib/mift_ros", prefix / "mift_ros/nodes", here / "mift_ros"):
        folder.mkdir(parents=True)
    (prefix / "bin/python3").symlink_to(sys.executable)
    (prefix / "mift_ros/nodes/localizer.py").write_text("import sys\ndef main():\n    print('ours', *sys.argv[1:])\n")
    (here / "mift_ros/__init__.py").write_text("raise SystemExit('taken from the working directory')")
    placed = prefix / "lib/mift_ros/localizer"
    placed.write_bytes((REPOSITORY / "libexec/localizer").read_bytes())
    placed.chmod(0o755)
    environment = {**os.environ, "PYTHONPATH": str(prefix)}
    done = subprocess.run([placed, "a b"], capture_output=True, text=True, check=False, env=environment, cwd=here)
    assert done.stdout == "ours a b\n", done.stderr
