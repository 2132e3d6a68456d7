"""What goes wrong in a flight, stated physically, and when: nothing by default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mift_ros.parameters import Parameters, flag, number

Vector = npt.NDArray[np.float64]

CLEAR_M = 1e5
"""Visibility that makes no difference at the heights flown."""


@dataclass(frozen=True)
class Disturbances(Parameters):
    """Conditions of a flight, or of a part of it; validated on construction. A share is a probability per message."""

    wind_mps: float = number(0.0, 0.0, 40.0, "m/s", "Steady wind; the vehicle crabs and leans to hold its track.")
    wind_from_deg: float = number(0.0, 0.0, 360.0, "deg", "Where it blows from, clockwise from north.")
    gust_mps: float = number(0.0, 0.0, 15.0, "m/s", "One sigma of the swing of the ground velocity, per axis.")
    gust_tilt_deg: float = number(0.0, 0.0, 15.0, "deg", "One sigma of the swing of roll, of pitch and of yaw.")
    gust_period_s: float = number(2.5, 0.4, 20.0, "s", "Typical period of gusts, one for the flight.")
    tilt_deg: float = number(0.0, 0.0, 35.0, "deg", "Constant nose-down tilt of vehicle and camera.")
    gimbal_lag_s: float = number(0.0, 0.0, 5.0, "s", "Time constant with which the camera follows the told attitude.")

    exposure_s: float = number(0.004, 0.0, 0.2, "s", "Time that the shutter is open; motion blurs.")
    exposure_step_stops: float = number(0.0, 0.0, 4.0, "stops", "Largest error of the exposure, changed in steps.")
    exposure_step_every_s: float = number(5.0, 0.1, 600.0, "s", "Time between steps of the exposure.")
    visibility_m: float = number(CLEAR_M, 20.0, CLEAR_M, "m", "Meteorological visibility of the haze.")
    cloud_cover: float = number(0.0, 0.0, 1.0, "", "Share of the ground in the shadow of clouds.")
    cloud_shadow: float = number(0.6, 0.0, 1.0, "", "Share of the light that a cloud takes.")
    cloud_size_m: float = number(120.0, 5.0, 5000.0, "m", "Wavelength of the clouds, one for the flight.")
    cloud_speed_mps: float = number(8.0, 0.0, 60.0, "m/s", "Speed of the shadows, towards the north-east.")

    heading_bias_deg: float = number(0.0, -180.0, 180.0, "deg", "Error of the told heading.")
    heading_drift_degps: float = number(0.0, -20.0, 20.0, "deg/s", "Rate at which the told heading drifts away.")
    height_scale_error: float = number(0.0, -0.9, 5.0, "", "Relative error of the told height above ground.")
    height_step_m: float = number(0.0, -500.0, 500.0, "m", "Added to the told height in every other period.")
    height_step_every_s: float = number(8.0, 0.1, 600.0, "s", "Length of such a period.")
    attitude_nan_share: float = number(0.0, 0.0, 1.0, "", "Attitudes that are NaN.")
    height_nan_share: float = number(0.0, 0.0, 1.0, "", "Heights that are NaN.")
    odometry_nan_share: float = number(0.0, 0.0, 1.0, "", "Odometry positions that are NaN.")
    jump_share: float = number(0.0, 0.0, 1.0, "", "Attitudes and heights that are outliers.")
    attitude_jump_deg: float = number(15.0, 0.0, 180.0, "deg", "One sigma of such an outlier per angle.")
    height_jump_m: float = number(40.0, 0.0, 1000.0, "m", "One sigma of such an outlier of the height.")
    odometry_jump_m: float = number(0.0, 0.0, 5000.0, "m", "One sigma of jumps of the odometry's origin, per axis.")
    odometry_jump_every_s: float = number(10.0, 0.1, 600.0, "s", "Time between those jumps.")

    camera_ahead_s: float = number(0.0, -1.0, 1.0, "s", "By how much the camera's clock is ahead of the IMU's.")
    frame_drop_share: float = number(0.0, 0.0, 1.0, "", "Images that are lost.")
    duplicate_share: float = number(0.0, 0.0, 1.0, "", "Images that come twice, with the same stamp.")
    stamp_back_s: float = number(0.0, 0.0, 3600.0, "s", "The second image is stamped this much too early.")
    silent: bool = flag(False, "Nothing is recorded: a gap in time.")
    cut: bool = flag(False, "Nothing is recorded, no clock and no odometry notices: the vehicle is kidnapped.")


@dataclass(frozen=True)
class Phase:
    """A part of a flight, `seconds` long, and what goes wrong in it."""

    seconds: float
    disturbances: Disturbances


class Schedule:
    """Which disturbances hold when; the last phase goes on for ever."""

    def __init__(self, phases: Sequence[Phase] = ()) -> None:
        self._phases = tuple(phases) or (Phase(0.0, Disturbances()),)
        self._ends_s = np.cumsum([phase.seconds for phase in self._phases])[:-1]

    def index(self, seconds: float) -> int:
        """Which phase a time of the flight falls into."""
        return int(np.searchsorted(self._ends_s, seconds, side="right"))

    def at(self, seconds: float) -> Disturbances:
        """What holds at a time of the flight."""
        return self._phases[self.index(seconds)].disturbances

    def values(self, name: str, time_s: Vector) -> Vector:
        """A disturbance at times [N]."""
        per_phase = np.array([float(getattr(phase.disturbances, name)) for phase in self._phases])
        return np.asarray(per_phase[np.searchsorted(self._ends_s, time_s, side="right")])

    def clock_s(self, seconds: float) -> float:
        """What the clocks show: the time of the flight less what was cut out of it."""
        starts = np.concatenate([[0.0], self._ends_s])
        ends = np.append(self._ends_s, np.inf)
        hidden = [phase.disturbances.cut for phase in self._phases]
        return seconds - float(np.clip(np.minimum(ends, seconds) - starts, 0.0, None)[hidden].sum())
