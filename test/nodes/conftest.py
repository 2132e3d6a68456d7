"""A town to fly over, and a bench: the localizer in its own process, its callers here, DDS with the shipped profile."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml
from node_scene import CAMERA, Town

from mift_ros.cache.build import BuildOptions, build_cache
from mift_ros.inference.load import load_embedder
from mift_ros.maps.open import open_map
from mift_ros.nodes.availability import why_no_ros
from mift_ros.nodes.processes import RosProcess
from mift_ros.nodes.transport import environment
from mift_ros.simulation.geotiff import write_world
from mift_ros.simulation.scene import Scene, load_scene
from mift_ros.simulation.world import make_town

DOMAIN_ID = 1 + os.getpid() % 100
COUNTER = itertools.count()


@pytest.fixture(scope="session")
def town(tiny_model_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Town:
    folder = tmp_path_factory.mktemp("town")
    files = write_world(make_town(seed=3, size_m=400.0, gsd_m=0.5), folder)
    source = open_map(files.map)
    build_cache(source, load_embedder(str(tiny_model_path)), folder / "town.cache", BuildOptions(stride_m=18.0))
    source.close()
    scene = load_scene(files.map, files.heights, 0.3)
    return Town(files.map, folder / "town.cache", tiny_model_path, scene)


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Another town, which no cache covers."""
    files = write_world(make_town(seed=12, size_m=400.0, gsd_m=0.5), tmp_path_factory.mktemp("elsewhere"))
    return load_scene(files.map, files.heights, 0.3)


@pytest.fixture(scope="session")
def ros() -> Iterator[int]:
    """ROS in this process with the shipped profile; its DDS domain, which no other test run shares."""
    missing = why_no_ros()
    if missing:
        pytest.skip(f"no ROS here: {missing}")
    from mift_ros.nodes.spin import init

    before = dict(os.environ)
    os.environ.update(environment(DOMAIN_ID))
    init()
    yield DOMAIN_ID
    import rclpy

    rclpy.try_shutdown()
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def name() -> str:
    """The node's name, new in each test: discovery still knows the last test's node for a moment."""
    return f"localizer_{next(COUNTER)}"


@pytest.fixture
def bench(ros: int, name: str):
    """Camera, autopilot and lifecycle manager of the node under test."""
    from node_bench import Bench

    with Bench(CAMERA, name) as bench:
        yield bench


class Launched(RosProcess):
    """A localizer in its own process."""

    def __init__(self, name: str, folder: Path, domain_id: int, parameters: dict[str, Any]) -> None:
        self.log = folder / "localizer.log"
        settings = folder / "parameters.yaml"
        settings.write_text(yaml.safe_dump({name: {"ros__parameters": parameters}}))
        arguments = ["--ros-args", "-r", f"__node:={name}", "--params-file", str(settings)]
        super().__init__("mift_ros.nodes.localizer", arguments, domain_id, self.log)


@pytest.fixture
def launch(ros: int, name: str, town: Town, tmp_path: Path):
    """Start the localizer for the town, with other parameters where given; it is ended with the test."""
    with ExitStack() as stack:

        def start(**parameters: Any) -> Launched:
            defaults = {"cache_path": str(town.cache), "model": str(town.model), "threads": 1}
            return stack.enter_context(Launched(name, tmp_path, ros, {**defaults, **parameters}))

        yield start
