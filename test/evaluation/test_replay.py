"""The whole path on a small town: map, cache, flight, replay, report. Nothing stands in for anything."""

import csv
import re
import shutil
import subprocess
import sys

import pytest

from mift_ros.cache.build import BuildOptions, build_cache
from mift_ros.cache.reader import MapCache
from mift_ros.evaluation.bag import Bag
from mift_ros.evaluation.flight import Flight
from mift_ros.evaluation.metrics import summarise
from mift_ros.evaluation.replay import DROPPED, replay, with_truth
from mift_ros.evaluation.report import CSV_COLUMNS, Context, write_report
from mift_ros.inference.load import load_embedder
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.localizer import Localizer
from mift_ros.maps.open import open_map
from mift_ros.simulation.flight import FlightPlan, simulate
from mift_ros.simulation.geotiff import write_world
from mift_ros.simulation.world import make_town


@pytest.fixture(scope="module")
def flown(tmp_path_factory, tiny_model_path):
    """Paths of a bag and of the cache of the town it was flown over, and the embedder."""
    folder = tmp_path_factory.mktemp("flown")
    town = write_world(make_town(4, 400.0, 0.5), folder / "town")
    embedder = load_embedder(str(tiny_model_path))
    build_cache(open_map(town.map), embedder, folder / "town.mift", BuildOptions(tile_size_m=72.0, stride_m=24.0))
    plan = FlightPlan(minutes=0.05, rate_hz=2.0, height_agl_m=110.0, speed_mps=6.0, width=320, height=240)
    simulate(town.map, folder / "bag", plan, town.look, town.heights)
    return folder / "bag", folder / "town.mift", embedder


@pytest.fixture(scope="module")
def records(flown):
    bag, cache, embedder = flown
    localizer = Localizer(MapCache.open(cache, embedder.identity), embedder, LocalizerConfig(min_significance=4.0))
    return list(replay(Flight(Bag(bag)), localizer))


def test_every_image_gives_a_record_with_its_truth(records, flown):
    assert len(records) == Bag(flown[0]).frames == 5
    assert all((r.fix is None) == bool(r.reason) and r.truth and r.latency_s > 0 for r in records)


def test_fixes_are_metres_from_the_truth(records):
    s = summarise(records)
    assert s.fixes >= 2  # an untrained network over a small town: what it finds is right
    assert s.median_m < 10.0


def test_node_answers_are_completed_by_truth_and_by_dropped_frames(records, flown):
    answers = [record for k, record in enumerate(records) if k != 2]
    joined = with_truth(answers[::-1], Flight(Bag(flown[0])))
    assert [r.stamp_ns for r in joined] == [r.stamp_ns for r in records]
    assert [r.reason == DROPPED for r in joined] == [k == 2 for k in range(5)]
    assert joined[0].truth == records[0].truth and joined[0].fix is records[0].fix


def test_report_is_one_file_that_needs_nothing_else(records, flown, tmp_path):
    context = Context("bag <1>", "mift replay bag --cache c", {"yaw_bins": 12}, ["/imu: 3 left out"])
    page = write_report(tmp_path / "out", records, MapCache.open(flown[1]), context).read_text()
    assert not re.search(r"https?://|<script|<link|\$\w", page)
    assert page.count("data:image/png;base64,") == 4
    for text in (
        "bag &lt;1&gt;",
        "mift replay bag --cache c",
        "yaw_bins",
        "/imu: 3 left out",
        "map.tif",
        "not calibrated",
    ):
        assert text in page
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["frames.csv", "report.html"]


def test_csv_has_a_line_per_frame_and_no_nan(records, flown, tmp_path):
    write_report(tmp_path, records, MapCache.open(flown[1]), Context("bag", ""))
    text = (tmp_path / "frames.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert tuple(rows[0]) == CSV_COLUMNS and len(rows) == len(records)
    assert "nan" not in text
    assert int(rows[0]["stamp_ns"]) == records[0].stamp_ns


def test_a_report_of_nothing_can_still_be_written(flown, tmp_path):
    page = write_report(tmp_path, [], MapCache.open(flown[1]), Context("bag", ""))
    assert "unknown" in page.read_text()


def mift(*words, cwd=None):
    command = [sys.executable, "-m", "mift_ros.cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd)


def test_the_command_prints_the_figures_and_writes_the_report(flown, tiny_model_path, tmp_path):
    bag, cache, _ = flown
    open_gate = ("--set", "min_significance=4")
    done = mift("replay", bag, "--cache", cache, "--model", tiny_model_path, "-o", tmp_path / "r", *open_gate)
    assert done.returncode == 0, done.stderr
    assert "error, median" in done.stdout and (tmp_path / "r" / "report.html").is_file()


@pytest.mark.parametrize(
    ("extra", "line"),
    [
        (["--set", "yaw_bin=3"], "unknown parameter 'yaw_bin'; did you mean 'yaw_bins'?"),
        (["--set", "yaw_bins=-3"], "yaw_bins = -3 is outside 1 to 360"),
        (["--topic", "image=/front"], "no topic '/front' for image; its topics are "),
        (["--topic", "eye=/front"], "--topic eye=/front: ROLE is one of "),
    ],
)
def test_a_wrong_command_is_one_line_and_exit_code_2(flown, tiny_model_path, extra, line):
    bag, cache, _ = flown
    done = mift("replay", bag, "--cache", cache, "--model", tiny_model_path, *extra)
    assert done.returncode == 2
    assert line in done.stderr and done.stderr.count("\n") == 1 and "Traceback" not in done.stderr


def test_the_report_lies_beside_the_bag_also_from_within_and_with_dots_in_its_name(flown, tiny_model_path, tmp_path):
    bag, cache, _ = flown
    for name in ("x-10.00.01", "x-10.00.02"):
        shutil.copytree(bag, tmp_path / name)
        done = mift("replay", ".", "--cache", cache, "--model", tiny_model_path, cwd=tmp_path / name)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / f"{name}-replay" / "report.html").is_file()


def test_a_report_without_a_place_is_told_before_the_replay(flown, tiny_model_path, tmp_path):
    bag, cache, _ = flown
    taken = tmp_path / "taken"
    taken.write_text("")
    done = mift("replay", bag, "--cache", cache, "--model", tiny_model_path, "-o", taken)
    assert done.stderr == f"mift: {taken}: no folder for the report (File exists)\n" and done.stdout == ""
