"""The suite: its data are sound, it is flown end to end on small ground, an exception is a finding."""

import json
import re
import subprocess
import sys
from itertools import pairwise

import cv2
import numpy as np
import pytest

from mift_ros.evaluation.record_files import read_records
from mift_ros.geometry.frames import LocalFrame
from mift_ros.inference.load import load_embedder
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.localizer import Localizer
from mift_ros.simulation.disturbances import Disturbances
from mift_ros.simulation.scene import Raster, Scene
from mift_ros.simulation.trajectory import fly
from mift_ros.stress import grounds
from mift_ros.stress.grounds import GROUNDS, LAKE, Ground
from mift_ros.stress.scenario import Leg, Scenario
from mift_ros.stress.scenarios import QUICK, SCENARIOS
from mift_ros.stress.suite import CRASHED, Suite
from mift_ros.stress.table import COLUMNS, as_json, cells, markdown, rows_of

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_scenario_is_sound(scenario):
    assert scenario.ground in GROUNDS
    assert re.fullmatch("[a-z-]+", scenario.name)
    stretches = scenario.stretches
    assert len({stretch.name for stretch in stretches}) == len(stretches)
    assert all(before.end_ns <= after.start_ns for before, after in pairwise(stretches))
    assert 55 <= sum(stretch.end_ns - stretch.start_ns for stretch in stretches) / 1e9 <= 130


def test_names_and_seeds_are_not_shared():
    assert len(BY_NAME) == len({scenario.seed for scenario in SCENARIOS}) == len(SCENARIOS)
    assert set(QUICK) <= set(BY_NAME)


def test_another_flight_has_another_digest():
    calm = BY_NAME["calm"]
    longer = Scenario(calm.name, calm.text, calm.ground, calm.seed, (Leg("over the town", 81),))
    windy = Scenario(calm.name, calm.text, calm.ground, calm.seed, (Leg("", 80, Disturbances(wind_mps=1.0)),))
    assert len({scenario.digest for scenario in (calm, longer, windy)}) == 3


def track_of(name, leg_name):
    """Footprints' middles [N, 2], metres from the ground's middle, during a leg of a flight over way points."""
    scenario = BY_NAME[name]
    side = GROUNDS[scenario.ground].size_m
    level = Raster(np.zeros((2, 2), np.float32), -side / 2, side / 2, side / 2)
    look = Raster(np.zeros((2, 2, 3), np.uint8), -side / 2, side / 2, side / 2)
    plan = scenario.plan
    path = fly(
        Scene(LocalFrame(45.0, 7.0), look, level, level), plan.pattern, 60 * plan.minutes, plan.speed_mps,
        plan.height_agl_m, 136.0, np.random.default_rng(0), plan.way_points_m,
    )  # fmt: skip
    ends = np.cumsum([leg.seconds for leg in scenario.legs])
    index = [leg.name for leg in scenario.legs].index(leg_name)
    inside = (path.time_s > ends[index] - scenario.legs[index].seconds) & (path.time_s < ends[index])
    return path.position_m[inside, :2]


def test_over_water_the_camera_sees_nothing_else():
    shore = (LAKE - 0.5).astype(np.float32) * np.float32(GROUNDS["shore"].size_m)
    distances = [cv2.pointPolygonTest(shore, (float(x), float(y)), True) for x, y in track_of("water", "over water")]
    assert min(distances) > 60.0
    town = [cv2.pointPolygonTest(shore, (float(x), float(y)), True) for x, y in track_of("water", "after the water")]
    assert max(town) < -50.0


def test_outside_the_map_is_outside_and_inside_is_inside():
    half = GROUNDS["clearing"].map_m / 2
    for name in ("outside", "outside again"):
        assert np.abs(track_of("entry", name)).max(axis=1).min() > half + 60.0
    for name in ("inside", "inside again"):
        assert np.abs(track_of("entry", name)).max() < half - 60.0


SHORT = Scenario("short", "Three seconds.", "small", 5, (Leg("first", 1.5), Leg("then", 1.5)), height_agl_m=40.0)


@pytest.fixture
def suite(tmp_path, tiny_model_path, monkeypatch):
    monkeypatch.setitem(grounds.GROUNDS, "small", Ground(seed=1, size_m=400.0, map_m=350.0))
    return Suite(
        tmp_path, load_embedder(str(tiny_model_path)), LocalizerConfig(min_significance=4.0, use_attitude=True)
    )


def silent(stage, done, total):
    pass


def test_a_scenario_is_flown_from_nothing_and_then_from_what_is_there(suite):
    outcome = suite.fly(SHORT, silent)
    made = {path: path.stat().st_mtime_ns for path in suite.folder.rglob("*.[mt][ci][af]*") if path.is_file()}
    assert len(outcome.records) == outcome.whole.summary.frames == 2
    assert [figures.stretch.name for figures in outcome.stretches] == ["first", "then"]
    assert len(read_records(suite.folder / "records" / "short.jsonl")) == 2
    suite.fly(SHORT, silent)
    assert {path: path.stat().st_mtime_ns for path in made} == made

    rows = rows_of([outcome])
    assert [row.figures.stretch.name for row in rows] == ["first", "then", "whole flight"]
    assert all(len(cells(row)) == len(COLUMNS) for row in rows)
    assert markdown(rows).count("\n") == 5
    assert len(json.loads(json.dumps(as_json(rows, [outcome]), allow_nan=False))["rows"]) == 3


def test_an_exception_of_the_localizer_is_shown_and_does_not_end_the_suite(suite, monkeypatch):
    def broken(self, frame, telemetry):
        raise ZeroDivisionError("in flight")

    monkeypatch.setattr(Localizer, "locate", broken)
    outcome = suite.fly(SHORT, silent)
    assert [record.reason for record in outcome.records] == [CRASHED] * 2
    assert outcome.exceptions == ["ZeroDivisionError: in flight"] * 2
    assert "2 exceptions" in rows_of([outcome])[-1].misses


def test_the_commands_explain_themselves_and_refuse_unknown_scenarios(tmp_path):
    def mift(*words):
        return subprocess.run(
            [sys.executable, "-m", "mift_ros.cli", "stress", *words], capture_output=True, text=True, check=False
        )

    assert all(name in mift("list").stdout for name in QUICK)
    done = mift("run", str(tmp_path), "--only", "storm")
    assert (done.returncode, "no scenario 'storm'" in done.stderr) == (2, True)
