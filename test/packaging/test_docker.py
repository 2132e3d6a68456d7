"""The Dockerfiles copy files that exist, ask for extras that setup.cfg has, and say which version of what they take."""

import configparser
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
DOCKERFILES = sorted((REPOSITORY / "docker").glob("*.Dockerfile"))


def instructions(path):
    """Instructions of a Dockerfile with continued lines joined, comments left out."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return [line.split(None, 1) for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines() if line.strip()]


@pytest.fixture(params=DOCKERFILES, ids=lambda path: path.stem)
def docker(request):
    return instructions(request.param)


def test_there_is_one_for_a_desktop_and_one_for_a_jetson():
    assert [path.name for path in DOCKERFILES] == ["desktop.Dockerfile", "jetson.Dockerfile"]


def test_what_is_copied_exists(docker):
    sources = [name for word, rest in docker if word == "COPY" for name in rest.split()[:-1]]
    assert not [name for name in sources if not (REPOSITORY / name).exists()]


def test_everything_that_the_package_is_made_of_is_copied(docker):
    """setup.cfg finds its packages and setup.py its data files in what is there: a folder left out is not missed."""
    copied = {name for word, rest in docker if word == "COPY" for name in rest.split()[:-1]}
    folders = {"mift_ros", "training", "export", "launch", "config", "libexec", "resource", "constraints"}
    assert copied >= folders | {"setup.py", "setup.cfg", "pyproject.toml", "package.xml", "README.md"}


def test_extras_are_those_of_setup_cfg(docker):
    parser = configparser.ConfigParser()
    parser.read(REPOSITORY / "setup.cfg")
    asked = [name for word, rest in docker if word == "RUN" for group in re.findall(r"/src\[([\w,]+)\]", rest)
             for name in group.split(",")]  # fmt: skip
    assert asked and set(asked) <= set(parser["options.extras_require"])
    assert not {"cpu", "gpu"} <= set(asked)  # they install the same module


def test_numpy_is_held_where_ros_was_compiled_for_it(docker):
    (install,) = [rest for word, rest in docker if word == "RUN" and "pip install" in rest]
    assert "-c /src/constraints/apt-ros.txt" in install
    assert "--system-site-packages" in install


def test_what_depends_on_the_driver_is_an_argument_with_a_version(docker):
    defaults = dict(rest.split("=", 1) for word, rest in docker if word == "ARG")
    assert re.fullmatch(r"1[23]\.\d", defaults["CUDA"])
    (install,) = [rest for word, rest in docker if word == "RUN" and "pip install" in rest]
    assert '"cuda-python~=${CUDA}.0"' in install


def test_no_image_is_whatever_is_newest(docker):
    defaults = dict(rest.split("=", 1) for word, rest in docker if word == "ARG")
    (base,) = [rest for word, rest in docker if word == "FROM"]
    name, _, tag = defaults["BASE"].partition(":") if base == "${BASE}" else base.partition(":")
    assert name and tag and tag != "latest"


def test_install_md_shows_how_each_is_built():
    text = (REPOSITORY / "docs/install.md").read_text()
    assert not [path.name for path in DOCKERFILES if f"-f docker/{path.name}" not in text]
