"""Fly a camera over a map and record what a vehicle would: the whole of `mift simulate`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mift_ros.errors import SimulationError
from mift_ros.geometry.camera import CameraModel
from mift_ros.geometry.frames import quaternion_from_rpy, rotation_from_rpy
from mift_ros.simulation.appearance import second_look
from mift_ros.simulation.camera import SceneCamera
from mift_ros.simulation.record import TRANSFER_NS, FlightWriter, Storage
from mift_ros.simulation.scene import Raster, Scene, load_scene
from mift_ros.simulation.sensors import Instruments
from mift_ros.simulation.trajectory import Pattern, Trajectory, fly

NS = 1_000_000_000
START_NS = 1_717_236_000 * NS
"""Every flight starts on 2024-06-01 at 10:00 UTC, so that the same seed gives the same bag."""
EXPOSURE_S = 0.004
IMU_EVERY, TRUTH_EVERY, SLOW_EVERY = 1, 2, 5
"""Samples of the trajectory (100 Hz) per message: IMU, truth, height and odometry."""


@dataclass(frozen=True)
class FlightPlan:
    """How to fly; `heading_known` False makes an IMU whose yaw is declared unknown."""

    seed: int = 0
    minutes: float = 2.0
    rate_hz: float = 2.0
    height_agl_m: float = 120.0
    speed_mps: float = 12.0
    pattern: Pattern = Pattern.WANDER
    heading_known: bool = True
    width: int = 640
    height: int = 480
    hfov_deg: float = 70.0
    compressed: bool = False
    storage: Storage = Storage.MCAP

    def __post_init__(self) -> None:
        limits = {
            "minutes": (0.02, 600.0), "rate_hz": (0.05, 50.0), "height_agl_m": (5.0, 5000.0), "speed_mps": (0.5, 100.0),
            "width": (32, 8192), "height": (32, 8192), "hfov_deg": (5.0, 110.0),
        }  # fmt: skip
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                raise SimulationError(f"{name} = {getattr(self, name)} is outside {low:g} to {high:g}")

    @property
    def camera(self) -> CameraModel:
        """The camera, looking straight down at level flight."""
        return CameraModel.from_fov(self.width, self.height, self.hfov_deg)


def simulate(
    map_path: Path,
    bag_path: Path,
    plan: FlightPlan,
    look_path: Path | None = None,
    heights_path: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Fly over a map and write a bag.

    `look_path` is another picture of the same ground (another date or sensor) that the camera sees; without it, the
    map's own pixels are given another appearance. `heights_path` is a GeoTIFF in metres above the ellipsoid: band 1 the
    surface, band 2, if there is one, the bare terrain. `progress` is called with frames done and frames in all.

    Raises:
        MapError, SimulationError, BagError: one line each.
    """
    rng = np.random.default_rng(plan.seed)
    camera = plan.camera
    with FlightWriter(bag_path, plan.storage) as writer:
        scene = load_scene(look_path or map_path, heights_path, 0.8 * plan.height_agl_m / camera.fx)
        if look_path is None:
            look = scene.look
            scene = replace(scene, look=replace(look, pixels=second_look(_rgb(look), look.gsd_m, rng)))
        half = plan.height_agl_m * math.hypot(camera.width, camera.height) / 2 / camera.fx
        path = fly(scene, plan.pattern, 60 * plan.minutes, plan.speed_mps, plan.height_agl_m, 1.3 * half, rng)
        recorder = _Recorder(writer, scene, path, Instruments(rng), plan)
        total = int((path.time_s[-1] - 0.2) * plan.rate_hz)
        taken = 0
        for i, seconds in enumerate(path.time_s):
            recorder.telemetry(i)
            while taken < total and _exposure_s(taken, plan) + TRANSFER_NS / NS <= seconds:
                recorder.frame(_exposure_s(taken, plan))
                taken += 1
                progress(taken, total)


def _exposure_s(index: int, plan: FlightPlan) -> float:
    return 0.1 + index / plan.rate_hz


class _Recorder:
    """Measures, renders and writes one flight in the order of time."""

    def __init__(
        self, writer: FlightWriter, scene: Scene, path: Trajectory, instruments: Instruments, plan: FlightPlan
    ) -> None:
        self._writer, self._path, self._instruments, self._plan = writer, path, instruments, plan
        self._eye = SceneCamera(scene, plan.camera)
        self._geodetic = scene.frame.to_geodetic(path.position_m[:, :2])
        self._blur_px = plan.speed_mps * EXPOSURE_S * plan.camera.fx / plan.height_agl_m

    def telemetry(self, i: int) -> None:
        """Write what is due at sample `i` of the trajectory."""
        path, writer = self._path, self._writer
        stamp = _stamp(float(path.time_s[i]))
        rpy, position = path.rpy_rad[i], path.position_m[i]
        if i % IMU_EVERY == 0:
            measured = self._instruments.attitude(rpy)
            writer.imu(stamp, quaternion_from_rpy(*measured), self._plan.heading_known)
        if i % SLOW_EVERY == 0:
            writer.height(stamp, self._instruments.height_agl_m(float(path.height_agl_m[i])))
            writer.odometry(stamp, *self._instruments.odometry_m(position[:2], path.position_m[0, :2]))
        if i % TRUTH_EVERY == 0:
            lat, lon = (float(v) for v in self._geodetic[i])
            roll, pitch, yaw = (float(v) for v in rpy)
            writer.truth(stamp, lat, lon, float(position[2]), quaternion_from_rpy(roll, pitch, yaw))

    def frame(self, seconds: float) -> None:
        """Render and write the exposure at a time of the flight."""
        position, (roll, pitch, yaw) = self._path.at(seconds)
        image = self._eye.render(position, rotation_from_rpy(roll, pitch, yaw))
        self._writer.camera_info(_stamp(seconds), self._plan.camera)
        exposed = self._instruments.expose(image, (0.0, self._blur_px))
        self._writer.image(_stamp(seconds), exposed, self._plan.compressed)


def _stamp(seconds: float) -> int:
    return START_NS + round(seconds * NS)


def _rgb(raster: Raster) -> npt.NDArray[np.uint8]:
    return np.asarray(raster.pixels, np.uint8)
