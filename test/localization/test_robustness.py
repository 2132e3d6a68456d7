"""Whole flights with telemetry that lies: no exception, no false fix, a reason for every frame without one."""

import math
from dataclasses import replace

import numpy as np
import pytest

from mift_ros.geometry.frames import quaternion_from_rpy, yaw_from_heading
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.localizer import Localizer
from mift_ros.localization.telemetry import NS, TelemetryBuffer
from mift_ros.localization.types import Fix, Reason, Rejection

FALSE_M = 30.0
STEP_M, STEP_S = 24.0, 2.0
PATH = [(-100.0 + STEP_M * k, 40.0, 90.0) for k in range(6)]


def shot(town, path):
    """Frames and exact telemetry along a path, with odometry and a gyro that start anywhere."""
    frames = []
    for k, (east, north, heading_deg) in enumerate(path):
        frame, known = town.shoot(east, north, heading_deg, stamp_s=10.0 + STEP_S * k)
        odometry = (east + 5000.0, north - 700.0)
        gyro_deg = (heading_deg + 77.0) % 360.0
        frames.append((frame, replace(known, odometry_enu_m=odometry, gyro_heading_deg=gyro_deg)))
    return frames


@pytest.fixture(scope="module")
def flight(town):
    return shot(town, PATH)


@pytest.fixture(scope="module")
def flight_elsewhere(elsewhere):
    return shot(elsewhere, PATH)


def fly(town, frames, **values):
    """Every answer; each is a fix or a rejection that says why."""
    localizer = Localizer(town.cache, town.embedder, LocalizerConfig.from_mapping(values))
    results = [localizer.locate(frame, telemetry) for frame, telemetry in frames]
    assert all(isinstance(r, Fix) or (isinstance(r, Rejection) and r.detail) for r in results)
    return results


def fixes(results, path=PATH):
    """Errors of the fixes, m, none of which may be false."""
    errors = [math.dist(r.position_m, p[:2]) for r, p in zip(results, path) if isinstance(r, Fix)]
    assert all(error < FALSE_M for error in errors), errors
    return errors


def changed(frames, *indices, **telemetry):
    return [(f, replace(t, **telemetry) if k in indices else t) for k, (f, t) in enumerate(frames)]


def test_with_nothing_wrong_every_frame_is_fixed(town, flight):
    assert len(fixes(fly(town, flight))) == len(PATH)


def test_nan_telemetry_is_refused_and_the_flight_goes_on(town, flight):
    results = fly(town, changed(flight, 2, 3, roll_rad=math.nan, pitch_rad=math.inf))
    assert [r.reason for r in results[2:4]] == [Reason.NO_TELEMETRY] * 2
    assert len(fixes(results)) == len(PATH) - 2


def test_odometry_that_fails_jumps_or_resets_costs_no_fix(town, flight):
    frames = flight
    for k, there in enumerate([(math.nan, math.nan), (math.inf, 0.0), (9e5, 9e5), (0.0, 0.0)]):
        frames = changed(frames, 1 + k, odometry_enu_m=there)
    assert len(fixes(fly(town, frames))) == len(PATH)


def test_a_height_that_steps_makes_no_false_fix(town, flight):
    results = fly(town, changed(flight, 2, 3, height_agl_m=150.0))
    assert len(fixes(results)) >= 4


def test_a_heading_that_jumps_makes_no_false_fix(town, flight):
    results = fly(town, changed(flight, 2, 4, heading_deg=250.0, gyro_heading_deg=12.0))
    assert len(fixes(results)) >= 3


def test_a_heading_that_is_wrong_throughout_makes_no_false_fix(town, flight):
    frames = [(f, replace(t, heading_deg=t.heading_deg + 20.0)) for f, t in flight]
    fixes(fly(town, frames))


def test_a_gap_of_ten_seconds_is_got_over(town, flight):
    late = [(replace(f, stamp_ns=f.stamp_ns + 10 * NS), t) for f, t in flight[3:6]]
    frames = [*flight[:3], *((f, replace(t, odometry_enu_m=(math.nan, math.nan))) for f, t in late)]
    assert len(fixes(fly(town, frames))) >= 5


def test_repeated_and_late_frames_are_stale_and_the_flight_goes_on(town, flight):
    frames = [*flight[:3], flight[2], flight[0], *flight[3:5]]
    results = fly(town, frames)
    assert [r.reason for r in results[3:5]] == [Reason.STALE] * 2
    assert all(isinstance(r, Fix) for r in results[5:])


def buffered(flight, imu_late_s):
    """The same flight with telemetry from a buffer whose IMU clock is late and whose body rolls at 0.05 rad/s."""
    frames = []
    for frame, known in flight:
        buffer = TelemetryBuffer(max_age_s=0.2)
        for ms in range(-300, 300, 10):
            stamp_ns = frame.stamp_ns + ms * NS // 1000
            attitude = quaternion_from_rpy(0.05 * ms / 1000, 0.0, yaw_from_heading(known.heading_deg))
            buffer.push_attitude(stamp_ns + round(imu_late_s * NS), attitude, heading=True)
            buffer.push_height_agl(stamp_ns, known.height_agl_m)
        frames.append((frame, buffer.at(frame.stamp_ns)))
    return frames


def test_a_small_clock_offset_between_camera_and_imu_costs_metres(town, flight):
    assert len(fixes(fly(town, buffered(flight[:3], imu_late_s=0.08)))) == 3


def test_clocks_that_have_nothing_in_common_are_named(town, flight):
    results = fly(town, buffered(flight[:2], imu_late_s=-50.0))
    assert all(r.reason is Reason.NO_TELEMETRY and "share a clock" in r.detail for r in results)


def test_over_the_edge_of_the_map_there_is_silence_and_back_inside_a_fix(town):
    out = [(60.0 + 60.0 * k, -50.0, 90.0) for k in range(4)]
    path = [*out, *((e, n, 270.0) for e, n, _ in reversed(out))]
    results = fly(town, shot(town, path))
    fixes(results, path)
    assert isinstance(results[0], Fix)
    assert isinstance(results[-1], Fix)


def test_a_vehicle_that_is_carried_off_is_found_again(town, flight):
    path = [*PATH[:3], *((60.0, -90.0 + STEP_M * k, 0.0) for k in range(4))]
    fresh = shot(town, path)
    # the odometry noticed nothing of the way
    jump = np.subtract(fresh[3][1].odometry_enu_m, fresh[2][1].odometry_enu_m)
    moved = [(f, replace(t, odometry_enu_m=tuple(np.subtract(t.odometry_enu_m, jump)))) for f, t in fresh[3:]]
    results = fly(town, [*fresh[:3], *moved])
    fixes(results, path)
    assert isinstance(results[-1], Fix)


def test_a_whole_flight_over_another_town_gives_no_fix(town, flight_elsewhere):
    assert not any(isinstance(r, Fix) for r in fly(town, flight_elsewhere))


class Counting:
    """The real embedder, and how many images it was given last."""

    def __init__(self, embedder):
        self.identity, self._embedder, self.asked = embedder.identity, embedder, 0

    def embed(self, images):
        self.asked = len(images)
        return self._embedder.embed(images)


def test_from_nothing_known_the_first_fix_comes_soon_and_the_search_narrows(town, flight):
    config = LocalizerConfig(scale_tolerance=0.2, yaw_bins=24)
    embedder = Counting(town.embedder)
    localizer = Localizer(town.cache, embedder, config)
    results, asked = [], []
    for frame, known in flight[:4]:
        vague = replace(known, heading_deg=math.nan, height_agl_m=1.15 * known.height_agl_m)
        results.append(localizer.locate(frame, vague))
        asked.append(embedder.asked)
    assert len(fixes(results)) >= 3
    assert asked[0] >= 48
    assert asked[-1] <= 3
