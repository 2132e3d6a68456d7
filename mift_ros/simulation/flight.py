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
from mift_ros.simulation.appearance import second_look
from mift_ros.simulation.camera import SceneCamera
from mift_ros.simulation.disturbances import Phase, Schedule
from mift_ros.simulation.record import TRANSFER_NS, FlightWriter, Storage
from mift_ros.simulation.recorder import NS, FlightRecorder, Vehicle
from mift_ros.simulation.scene import Raster, Scene, load_scene
from mift_ros.simulation.season import in_season
from mift_ros.simulation.sensors import Instruments
from mift_ros.simulation.trajectory import Pattern, fly
from mift_ros.simulation.wind import in_wind


@dataclass(frozen=True)
class FlightPlan:
    """How to fly; `heading_known` False makes an IMU whose yaw is declared unknown.

    `phases` say what goes wrong and when. `way_points_m`, east and north of the middle of the map, replace the pattern.
    The ground that the camera sees is under snow by a share, and its vegetation dry by a share.
    """

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
    way_points_m: tuple[tuple[float, float], ...] = ()
    snow_cover: float = 0.0
    dry_share: float = 0.0
    phases: tuple[Phase, ...] = ()

    def __post_init__(self) -> None:
        limits = {
            "minutes": (0.02, 600.0), "rate_hz": (0.05, 50.0), "height_agl_m": (5.0, 5000.0), "speed_mps": (0.5, 100.0),
            "width": (32, 8192), "height": (32, 8192), "hfov_deg": (5.0, 110.0), "snow_cover": (0.0, 1.0),
            "dry_share": (0.0, 1.0),
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
    camera = plan.camera
    rng, schedule = np.random.default_rng(plan.seed), Schedule(plan.phases)
    with FlightWriter(bag_path, plan.storage) as writer:
        scene = load_scene(look_path or map_path, heights_path, 0.8 * plan.height_agl_m / camera.fx)
        scene = _as_seen(scene, look_path is None, plan, rng)
        half = plan.height_agl_m * math.hypot(camera.width, camera.height) / 2 / camera.fx
        path = fly(
            scene, plan.pattern, 60 * plan.minutes, plan.speed_mps, plan.height_agl_m, 1.3 * half, rng,
            plan.way_points_m,
        )  # fmt: skip
        # a stream of its own, so that the flight under the disturbances stays the same
        trouble = np.random.default_rng([plan.seed, 1])
        path = in_wind(path, schedule, plan.speed_mps, trouble)
        vehicle = Vehicle(Instruments(rng), schedule, path, trouble)
        recorder = FlightRecorder(writer, SceneCamera(scene, camera), vehicle, plan.heading_known, plan.compressed)
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


def _as_seen(scene: Scene, same_pixels: bool, plan: FlightPlan, rng: np.random.Generator) -> Scene:
    """The scene in the season of the flight; the map's own pixels get another appearance first."""
    look, pixels = scene.look, _rgb(scene.look)
    if same_pixels:
        pixels = second_look(pixels, look.gsd_m, rng)
    if plan.snow_cover > 0.0 or plan.dry_share > 0.0:
        pixels = in_season(pixels, look.gsd_m, plan.snow_cover, plan.dry_share, np.random.default_rng([plan.seed, 2]))
    return replace(scene, look=replace(look, pixels=pixels))


def _rgb(raster: Raster) -> npt.NDArray[np.uint8]:
    return np.asarray(raster.pixels, np.uint8)
