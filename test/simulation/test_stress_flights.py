"""Flights in which something goes wrong, read back: what is recorded is what was asked for."""

import math
import subprocess
import sys

import numpy as np
import pytest

from mift_ros.evaluation.bag import Bag
from mift_ros.evaluation.flight import read_flight
from mift_ros.geometry.frames import LocalFrame, wrap_deg
from mift_ros.simulation.disturbances import Disturbances, Phase
from mift_ros.simulation.flight import FlightPlan, simulate
from mift_ros.simulation.geotiff import TOWN_LAT_DEG, TOWN_LON_DEG, write_world
from mift_ros.simulation.recorder import START_NS
from mift_ros.simulation.world import make_town

FRAME = LocalFrame(TOWN_LAT_DEG, TOWN_LON_DEG)
RATE_HZ = 4.0


@pytest.fixture(scope="module")
def fly(tmp_path_factory):
    """Exposures of a short flight in phases of (seconds, disturbances)."""
    town = write_world(make_town(1, 300.0, 0.5), tmp_path_factory.mktemp("town"))

    def flown(*parts):
        phases = tuple(Phase(seconds, Disturbances(**values)) for seconds, values in parts)
        plan = FlightPlan(
            minutes=sum(seconds for seconds, _ in parts) / 60, rate_hz=RATE_HZ, height_agl_m=40.0, speed_mps=5.0,
            width=80, height=60, compressed=True, phases=phases,
        )  # fmt: skip
        bag = tmp_path_factory.mktemp("flight") / "bag"
        simulate(town.look, bag, plan, town.look, town.heights)
        return list(read_flight(bag)), Bag(bag)

    return flown


def seconds_of(samples):
    return [round((s.stamp_ns - START_NS) / 1e9, 3) for s in samples]


def errors_of(samples, of):
    return [of(s) for s in samples if s.truth is not None]


def heading_error(sample):
    return wrap_deg(sample.telemetry.heading_deg - sample.truth.heading_deg)


def test_a_wrong_heading_is_wrong_by_its_bias_clockwise_and_drifts(fly):
    samples, _ = fly((2.0, {}), (2.0, {"heading_bias_deg": 20.0}), (2.0, {"heading_drift_degps": 10.0}))
    right, biased, drifting = (np.array(errors_of(samples[k : k + 7], heading_error)) for k in (0, 8, 16))
    assert biased.mean() - right.mean() == pytest.approx(20.0, abs=1.0)
    assert np.diff(drifting).mean() * RATE_HZ == pytest.approx(10.0, abs=2.0)


def test_a_wrong_height_is_wrong_by_its_scale_and_steps(fly):
    samples, _ = fly(
        (2.0, {}), (2.0, {"height_scale_error": 0.5}), (4.0, {"height_step_m": 30.0, "height_step_every_s": 2.0})
    )
    heights = [s.telemetry.height_agl_m for s in samples]
    assert np.mean(heights[9:15]) / np.mean(heights[1:7]) == pytest.approx(1.5, rel=0.1)
    assert np.mean(heights[25:29]) - np.mean(heights[17:23]) == pytest.approx(30.0, abs=4.0)


def test_nan_telemetry_reaches_nobody(fly):
    samples, _ = fly((2.0, {"attitude_nan_share": 1.0, "height_nan_share": 1.0, "odometry_nan_share": 1.0}))
    for sample in samples:
        assert math.isnan(sample.telemetry.roll_rad)
        assert math.isnan(sample.telemetry.height_agl_m)
        assert math.isnan(sample.telemetry.odometry_enu_m[0])


def test_a_gap_is_a_gap_in_time(fly):
    samples, _ = fly((2.0, {}), (3.0, {"silent": True}), (2.0, {}))
    steps = np.diff(seconds_of(samples))
    assert sorted(steps)[-2:] == pytest.approx([0.25, 3.25], abs=0.01)


def test_a_cut_is_noticed_by_no_clock_and_no_odometry(fly):
    samples, _ = fly((2.0, {}), (10.0, {"cut": True}), (2.0, {}))
    assert np.diff(seconds_of(samples)) == pytest.approx(0.25, abs=1e-6)
    places = FRAME.to_local([s.truth.lat_deg for s in samples], [s.truth.lon_deg for s in samples])
    moved = np.linalg.norm(np.diff(places, axis=0), axis=1)
    reckoned = np.linalg.norm(np.diff([s.telemetry.odometry_enu_m for s in samples], axis=0), axis=1)
    assert moved.max() > 8.0
    assert reckoned.max() < 2.0


def test_a_camera_clock_that_is_ahead_stamps_later(fly):
    samples, _ = fly((2.0, {"camera_ahead_s": 0.08}))
    assert seconds_of(samples)[:3] == pytest.approx([0.18, 0.43, 0.68], abs=1e-3)


def test_one_stamp_goes_back(fly):
    stamps = seconds_of(fly((1.0, {}), (2.0, {"stamp_back_s": 0.7}))[0])
    assert [round(step, 2) for step in np.diff(stamps) if step < 0] == [-0.45]
    assert stamps[6:] == sorted(stamps[6:])


def test_images_are_lost_and_repeated(fly):
    samples, bag = fly((3.0, {"duplicate_share": 1.0}))
    assert bag.frames == 2 * len(set(seconds_of(samples)))
    assert np.array_equal(samples[0].frame.image, samples[1].frame.image)
    assert fly((1.0, {}), (2.0, {"frame_drop_share": 1.0}))[1].frames == 4


def test_odometry_jumps_and_stays_there(fly):
    samples, _ = fly((4.0, {"odometry_jump_m": 500.0, "odometry_jump_every_s": 2.0}))
    steps = np.linalg.norm(np.diff([s.telemetry.odometry_enu_m for s in samples], axis=0), axis=1)
    assert (steps > 20.0).sum() <= 2
    assert np.median(steps) < 3.0


def test_exposure_steps_change_the_brightness(fly):
    step = {"exposure_step_stops": 1.0, "exposure_step_every_s": 0.5}
    levels = [[s.frame.image.mean() for s in fly((3.0, values))[0]] for values in ({}, step)]
    stops = np.log2(np.divide(levels[1], levels[0]))
    assert np.abs(stops).max() < 1.1
    assert np.ptp(stops) > 0.4
    assert np.diff(stops)[::2] == pytest.approx(0.0, abs=0.02)


def test_the_camera_lags_and_the_attitude_that_is_told_does_not(fly):
    gusts = {"gust_tilt_deg": 5.0}
    steady, lagging = fly((2.0, gusts))[0], fly((2.0, {**gusts, "gimbal_lag_s": 1.0}))[0]
    assert [s.telemetry for s in steady] == [s.telemetry for s in lagging]
    assert not np.array_equal(steady[-1].frame.image, lagging[-1].frame.image)


@pytest.mark.parametrize(
    ("word", "said"), [("wind=3", "did you mean 'wind_mps'"), ("wind_mps", "--disturb 'wind_mps' is not NAME=VALUE")]
)
def test_an_unknown_disturbance_is_refused(word, said, tmp_path):
    words = ["simulate", "map.tif", "-o", str(tmp_path / "bag"), "--disturb", word]
    done = subprocess.run([sys.executable, "-m", "mift_ros.cli", *words], capture_output=True, text=True, check=False)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
