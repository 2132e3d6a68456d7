"""Photos as a bag: each one is an exposure with the attitude, height and truth that are known of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from mift_ros.errors import BagError
from mift_ros.geometry.camera import CameraModel
from mift_ros.geometry.frames import quaternion_from_rpy, yaw_from_heading
from mift_ros.photos.exif import read_photo
from mift_ros.photos.photo import Photo
from mift_ros.photos.table import read_table
from mift_ros.simulation.record import FlightWriter, Storage

FULL_FRAME_DIAGONAL_MM = math.hypot(36.0, 24.0)
KINDS = {".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png"}
NAN = math.nan


class Attitude(str, Enum):
    """Where the camera looked: as the gimbal says (down where it says nothing), straight down, or as the body."""

    GIMBAL = "gimbal"
    LEVEL = "level"
    FLIGHT = "flight"


@dataclass(frozen=True)
class PhotoPlan:
    """How photos become telemetry; NaN leaves focal length or height to what the photos say."""

    attitude: Attitude = Attitude.GIMBAL
    heading_known: bool = True
    focal_px: float = NAN
    hfov_deg: float = NAN
    height_agl_m: float = NAN
    storage: Storage = Storage.MCAP


def find_photos(folder: Path, table: Path | None) -> list[Photo]:
    """Photos in the order of time, by CSV or by EXIF.

    Raises:
        BagError: no photos, or one that lacks what is needed, named.
    """
    if not folder.is_dir():
        raise BagError(f"{folder}: no such folder of photos")
    if table:
        photos = read_table(table, folder)
    else:
        photos = [read_photo(path) for path in sorted(folder.iterdir()) if path.suffix.lower() in KINDS]
    if not photos:
        raise BagError(f"{folder}: no photos ({', '.join(KINDS)}) in it")
    for photo in photos:
        if photo.path.suffix.lower() not in KINDS:
            raise BagError(f"{photo.path}: not one of {', '.join(KINDS)}, as a bag holds photos; convert it")
    photos.sort(key=lambda photo: (photo.stamp_ns, photo.path.name))
    return photos


def write_photos(
    photos: Sequence[Photo], bag: Path, plan: PhotoPlan, progress: Callable[[int], None] = lambda done: None
) -> None:
    """Write a bag; photos of the same second follow each other by a millisecond. `progress` gets the photos done.

    Raises:
        BagError: a focal length that is unknown, or a bag that cannot be written.
    """
    with FlightWriter(bag, plan.storage) as writer:
        last_ns = 0
        for done, photo in enumerate(photos, start=1):
            last_ns = max(photo.stamp_ns, last_ns + 1_000_000)
            _write_photo(writer, photo, last_ns, plan)
            progress(done)


def _write_photo(writer: FlightWriter, photo: Photo, stamp_ns: int, plan: PhotoPlan) -> None:
    roll, pitch, heading = angles(photo, plan.attitude)
    known = not math.isnan(heading)
    q = quaternion_from_rpy(roll, pitch, yaw_from_heading(heading) if known else 0.0)
    writer.imu(stamp_ns, q, known and plan.heading_known)
    height = photo.height_m if math.isnan(plan.height_agl_m) else plan.height_agl_m
    if not math.isnan(height):
        writer.height(stamp_ns, height)
    writer.truth(stamp_ns, photo.lat_deg, photo.lon_deg, NAN, q if known else (NAN,) * 4)
    writer.camera_info(stamp_ns, camera_of(photo, plan))
    writer.image_file(stamp_ns, photo.path.read_bytes(), KINDS[photo.path.suffix.lower()])


def angles(photo: Photo, attitude: Attitude) -> tuple[float, float, float]:
    """Roll and pitch (radians, FLU: pitch positive nose down) and heading (degrees, NaN unknown) of a nadir camera."""
    if attitude is Attitude.FLIGHT:
        if math.isnan(photo.flight_roll_deg) or math.isnan(photo.flight_pitch_deg):
            raise BagError(f"{photo.path}: no flight roll and pitch; use --attitude level for a camera that looks down")
        return math.radians(photo.flight_roll_deg), -math.radians(photo.flight_pitch_deg), photo.flight_yaw_deg
    if attitude is Attitude.GIMBAL and not math.isnan(photo.gimbal_pitch_deg):
        heading = photo.flight_yaw_deg if math.isnan(photo.gimbal_yaw_deg) else photo.gimbal_yaw_deg
        return 0.0, -math.radians(photo.gimbal_pitch_deg + 90.0), heading
    return 0.0, 0.0, photo.flight_yaw_deg


def camera_of(photo: Photo, plan: PhotoPlan) -> CameraModel:
    """A camera without distortion: focal length as given, by field of view, or from the 35 mm equivalent (diagonal).

    Raises:
        BagError: none of them is known.
    """
    if not math.isnan(plan.hfov_deg):
        return CameraModel.from_fov(photo.width, photo.height, plan.hfov_deg)
    focal = plan.focal_px
    if math.isnan(focal):
        focal = photo.focal_35mm / FULL_FRAME_DIAGONAL_MM * math.hypot(photo.width, photo.height)
    if math.isnan(focal):
        raise BagError(f"{photo.path}: no FocalLengthIn35mmFilm in its EXIF; give --focal-px or --hfov-deg")
    return CameraModel(photo.width, photo.height, focal, focal, (photo.width - 1) / 2, (photo.height - 1) / 2)
