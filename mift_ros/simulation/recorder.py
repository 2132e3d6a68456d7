"""Measure, render and write one flight in the order of time."""

from __future__ import annotations

from collections import Counter

import numpy as np

from mift_ros.geometry.frames import quaternion_from_rpy, rotation_from_rpy
from mift_ros.simulation.camera import SceneCamera
from mift_ros.simulation.disturbances import Disturbances, Schedule
from mift_ros.simulation.faults import TelemetryFaults
from mift_ros.simulation.record import TRANSFER_NS, FlightWriter
from mift_ros.simulation.sensors import Instruments
from mift_ros.simulation.shutter import Image, Pose, smeared
from mift_ros.simulation.sky import Sky
from mift_ros.simulation.trajectory import Trajectory
from mift_ros.simulation.wind import lagging

NS = 1_000_000_000
START_NS = 1_717_236_000 * NS
"""Every flight starts on 2024-06-01 at 10:00 UTC, so that the same seed gives the same bag."""
IMU_EVERY, TRUTH_EVERY, SLOW_EVERY = 1, 2, 5
"""Samples of the trajectory (100 Hz) per message: IMU, truth, height and odometry."""
AGAIN_NS = 30_000_000
"""A repeated image comes this long after the first."""
EXPOSURE_STEPS = 1000


class Vehicle:
    """Where the vehicle and its camera are, what its instruments say, and by which schedule that goes wrong."""

    def __init__(
        self, instruments: Instruments, schedule: Schedule, path: Trajectory, rng: np.random.Generator
    ) -> None:
        self.instruments, self.schedule, self.path, self.rng = instruments, schedule, path, rng
        self.faults = TelemetryFaults(schedule, path.time_s, rng)
        self.sky = Sky(rng)
        self._camera_rpy = lagging(path.rpy_rad, schedule.values("gimbal_lag_s", path.time_s))
        self._stops = rng.uniform(-1.0, 1.0, EXPOSURE_STEPS)
        # dead reckoning does not notice a kidnapping: its steps in a cut are left out
        steps = np.diff(path.position_m[:, :2], axis=0, prepend=path.position_m[:1, :2])
        steps[schedule.values("cut", path.time_s) > 0] = 0.0
        self.reckoned_m = path.position_m[0, :2] + np.cumsum(steps, axis=0)

    def camera_pose(self, seconds: float) -> Pose:
        """Position of the camera and rotation of the body that it looks down from."""
        position, _ = self.path.at(seconds)
        roll, pitch, yaw = (float(np.interp(seconds, self.path.time_s, angle)) for angle in self._camera_rpy.T)
        return position, rotation_from_rpy(roll, pitch, yaw)

    def exposure(self, seconds: float, now: Disturbances) -> float:
        """Factor by which the exposure is off."""
        step = int(seconds / now.exposure_step_every_s) % EXPOSURE_STEPS
        return float(2.0 ** (now.exposure_step_stops * self._stops[step]))


class FlightRecorder:
    """Writes a vehicle's flight over a scene."""

    def __init__(
        self, writer: FlightWriter, eye: SceneCamera, vehicle: Vehicle, heading_known: bool, compressed: bool
    ) -> None:
        self._writer, self._eye, self._vehicle = writer, eye, vehicle
        self._heading_known, self._compressed = heading_known, compressed
        self._geodetic = eye.scene.frame.to_geodetic(vehicle.path.position_m[:, :2])
        self._taken: Counter[int] = Counter()

    def telemetry(self, i: int) -> None:
        """Write what is due at sample `i` of the trajectory."""
        path, writer, faults, vehicle = self._vehicle.path, self._writer, self._vehicle.faults, self._vehicle
        seconds, rpy = float(path.time_s[i]), path.rpy_rad[i]
        now = vehicle.schedule.at(seconds)
        if now.silent or now.cut:
            return
        stamp = self._stamp(seconds)
        if i % IMU_EVERY == 0:
            measured = faults.attitude(i, now, vehicle.instruments.attitude(rpy))
            writer.imu(stamp, quaternion_from_rpy(*measured), self._heading_known)
        if i % SLOW_EVERY == 0:
            height = vehicle.instruments.height_agl_m(float(path.height_agl_m[i]))
            writer.height(stamp, faults.height_agl_m(seconds, now, height))
            odometry = vehicle.instruments.odometry_m(vehicle.reckoned_m[i], path.position_m[0, :2])
            writer.odometry(stamp, *faults.odometry_m(seconds, now, odometry))
        if i % TRUTH_EVERY == 0:
            self._truth(stamp, i)

    def frame(self, seconds: float) -> None:
        """Render and write the exposure at a time of the flight, if it is not lost."""
        vehicle = self._vehicle
        now = vehicle.schedule.at(seconds)
        if now.silent or now.cut or (now.frame_drop_share and vehicle.rng.random() < now.frame_drop_share):
            return
        image = vehicle.instruments.expose(self._seen(seconds, now), vehicle.exposure(seconds, now))
        shown = self._stamp(seconds) + round((now.camera_ahead_s - self._back_s(seconds, now)) * NS)
        arrival = self._stamp(seconds) + TRANSFER_NS
        self._writer.camera_info(self._stamp(seconds), self._eye.camera)
        self._writer.image(shown, image, self._compressed, arrival)
        if now.duplicate_share and vehicle.rng.random() < now.duplicate_share:
            self._writer.image(shown, image, self._compressed, arrival + AGAIN_NS)

    def _seen(self, seconds: float, now: Disturbances) -> Image:
        """What reaches the sensor."""
        position, rotation = self._vehicle.camera_pose(seconds)
        points = self._eye.ground_points(position, rotation)
        image = np.asarray(self._eye.scene.look.sample(points[..., 0], points[..., 1]), np.uint8)
        image = self._vehicle.sky.seen(image, points, position, seconds, now)
        height_m = float(position[2] - points[..., 2].mean())
        return smeared(image, self._eye.camera, self._vehicle.camera_pose, seconds, now.exposure_s, height_m)

    def _back_s(self, seconds: float, now: Disturbances) -> float:
        """How much too early the image is stamped: the second one of its phase."""
        phase = self._vehicle.schedule.index(seconds)
        self._taken[phase] += 1
        return now.stamp_back_s if self._taken[phase] == 2 else 0.0

    def _truth(self, stamp: int, i: int) -> None:
        lat, lon = (float(v) for v in self._geodetic[i])
        roll, pitch, yaw = (float(v) for v in self._vehicle.path.rpy_rad[i])
        altitude = float(self._vehicle.path.position_m[i, 2])
        self._writer.truth(stamp, lat, lon, altitude, quaternion_from_rpy(roll, pitch, yaw))

    def _stamp(self, seconds: float) -> int:
        return START_NS + round(self._vehicle.schedule.clock_s(seconds) * NS)
