"""`mift map` as a user runs it: its own process, one line on errors."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mift_ros.cache.reader import MapCache
from mift_ros.cache.workfile import partial_path
from mift_ros.commands.map import app
from mift_ros.errors import ConfigError

MIFT = (sys.executable, "-m", "mift_ros.cli")


def mift(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*MIFT, *map(str, words)], capture_output=True, text=True, timeout=60)


def test_build_info_verify(map_path: Path, tiny_model_path: Path, tmp_path: Path) -> None:
    out, run = str(tmp_path / "town.cache"), CliRunner()
    model = ["--model", str(tiny_model_path)]
    words = ["build", str(map_path), "-o", out, *model, "--tile-size-m", "32", "--attribution", "the town"]
    built = run.invoke(app, words)
    assert built.exit_code == 0 and f"{len(MapCache.open(out))} tiles" in built.output
    info = run.invoke(app, ["info", out])
    assert info.exit_code == 0 and "the town" in info.output and "32 m every 8 m" in info.output
    verified = run.invoke(app, ["verify", out, "--map", str(map_path), *model])
    assert verified.exit_code == 0 and "0 came out differently" in verified.output


def test_texts_of_a_cache_are_no_markup(map_path: Path, tiny_model_path: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "site[old].tif", str(tmp_path / "town[1].cache")
    source.write_bytes(map_path.read_bytes())
    words = ["build", str(source), "-o", out, "--model", str(tiny_model_path), "--tile-size-m", "32"]
    assert CliRunner().invoke(app, [*words, "--attribution", "see [/docs] :boom:"]).exit_code == 0
    info = CliRunner().invoke(app, ["info", out], env={"COLUMNS": "200"})
    assert info.exit_code == 0 and "town[1].cache" in info.output
    assert "see [/docs] :boom:" in info.output and "site[old].tif (" in info.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("build", "{map}", "-o", "x", "--model", "absent.onnx"), "absent.onnx: no such model file"),
        (
            ("build", "{map}", "-o", "/x/y", "--model", "{model}", "--tile-size-m", "500"),
            "smaller than one tile of 500 m",
        ),
        (("build", "{map}", "-o", "/absent/y", "--model", "{model}"), "/absent: no such folder"),
    ],
)
def test_errors_are_one_line_and_exit_code_2(
    map_path: Path, tiny_model_path: Path, words: tuple[str, ...], told: str
) -> None:
    result = mift("map", *(word.format(map=map_path, model=tiny_model_path) for word in words))
    assert result.returncode == 2
    assert result.stderr.startswith("mift: ") and told in result.stderr
    assert result.stderr.count("\n") == 1 and "Traceback" not in result.stderr


@pytest.mark.parametrize("name", ["own.tif", "own.tif.aux.xml", "link", "town.cache"])
def test_only_a_cache_is_replaced(map_path: Path, tiny_model_path: Path, tmp_path: Path, name: str) -> None:
    """Nor is a file that bears the name of an unfinished cache."""
    own = tmp_path / "own.tif"
    own.write_bytes(map_path.read_bytes())
    (tmp_path / "link").symlink_to(own)
    (tmp_path / "own.tif.aux.xml").write_text("<PAMDataset/>")
    (tmp_path / "town.cache.partial").write_bytes(b"\0" * 10 + b"mine")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    words = ["build", str(own), "-o", str(tmp_path / name), "--model", str(tiny_model_path), "--tile-size-m", "32"]
    result = CliRunner().invoke(app, words)
    assert isinstance(result.exception, ConfigError)
    assert "exists already and is no map cache, so it is not replaced" in str(result.exception)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("damage", [lambda data: data, lambda data: data[:5000], lambda data: b""])
def test_a_cache_is_replaced_even_a_damaged_one(
    map_path: Path, tiny_model_path: Path, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    out = tmp_path / "town.cache"
    words = ["build", str(map_path), "-o", str(out), "--model", str(tiny_model_path), "--tile-size-m", "32"]
    assert CliRunner().invoke(app, words).exit_code == 0
    out.write_bytes(damage(out.read_bytes()))
    (tmp_path / "town.cache.partial").write_bytes(bytes(5000))  # stopped before its first checkpoint
    assert CliRunner().invoke(app, words).exit_code == 0
    assert len(MapCache.open(out)) and not partial_path(out).exists()


def test_ctrl_c_leaves_what_the_next_run_continues(map_path: Path, tiny_model_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "town.cache"
    words = ["map", "build", str(map_path), "-o", str(out), "--model", str(tiny_model_path)]
    words += ["--tile-size-m", "32", "--stride-m", "1"]
    build = subprocess.Popen([*MIFT, *words], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    while build.poll() is None and not _block_is_done(out):
        os.sched_yield()
    build.send_signal(signal.SIGINT)
    _, stderr = build.communicate(timeout=60)
    assert build.returncode != 0 and b"Traceback" not in stderr
    again = subprocess.run([*MIFT, *words], capture_output=True, timeout=120)
    assert again.returncode == 0 and b"continuing an interrupted build" in again.stderr
    assert len(MapCache.open(out)) > 5_000


def _block_is_done(out: Path) -> bool:
    if not partial_path(out).exists():
        return False
    with partial_path(out).open("rb") as file:
        return re.search(rb'"blocks": "[1-9]', file.read(4096)) is not None
