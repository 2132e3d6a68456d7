"""What a command finds in its folder is replaced only where an earlier run of it made that."""

import dataclasses
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mift_ros.commands.simulate import app as simulate_app
from mift_ros.demo import world
from mift_ros.errors import ConfigError
from mift_ros.evaluation.bag import Bag
from mift_ros.inference.load import load_embedder


@pytest.fixture
def small_demo(monkeypatch, tiny_model_path):
    """`prepare` over a small town for three seconds, with a tiny model."""
    monkeypatch.setattr(world, "TOWN_M", 300.0)
    small = dataclasses.replace(world.FLIGHT, minutes=0.05, rate_hz=2.0, height_agl_m=40.0, width=160, height=120)
    monkeypatch.setattr(world, "FLIGHT", small)
    embedder = load_embedder(str(tiny_model_path))
    return lambda folder: world.prepare(folder, embedder, lambda stage, done, total: None)


def test_a_demo_takes_the_place_of_another(small_demo, tmp_path):
    made = small_demo(tmp_path / "new" / "demo")
    (made.bag / "metadata.yaml").unlink()
    assert small_demo(tmp_path / "new" / "demo") == made
    (tmp_path / "new" / "demo" / world.MARK).unlink()  # as the first demos left it
    small_demo(tmp_path / "new" / "demo")
    assert Bag(made.bag).frames > 0


def test_a_demo_leaves_the_flight_of_its_user_alone(small_demo, tmp_path, monkeypatch):
    own = tmp_path / "flight" / "metadata.yaml"
    own.parent.mkdir()
    own.write_text("mine")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"^\.: holds files that this command did not make"):
        small_demo(Path())
    assert [path.name for path in tmp_path.iterdir()] == ["flight"] and own.read_text() == "mine"


def test_a_town_is_put_into_a_folder_of_its_own(tmp_path):
    words = ["--size-m", "200", "--town"]
    assert [CliRunner().invoke(simulate_app, [*words, str(tmp_path / "t")]).exit_code for _ in range(2)] == [0, 0]
    own = tmp_path / "own" / "map.tif"
    own.parent.mkdir()
    own.write_text("mine")
    result = CliRunner().invoke(simulate_app, [*words, str(own.parent)])
    assert isinstance(result.exception, ConfigError) and own.read_text() == "mine"
