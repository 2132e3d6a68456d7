"""What is known of one geotagged photo."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from mift_ros.errors import BagError

NAN = math.nan
NS = 1_000_000_000
MAX_SECONDS = 2**31 - 2
"""builtin_interfaces/Time counts in an int32; photos of one second follow each other a little later."""
TIME_FORMAT = "%Y:%m:%d %H:%M:%S"


@dataclass(frozen=True)
class Photo:
    """Angles are aviation's, in degrees: heading clockwise from north, pitch positive nose up, roll positive right.

    `height_m` is what the drone calls relative: above the take-off point, so above ground only where that is level with
    it. `gimbal_pitch_deg` is -90 looking straight down. `focal_35mm` is the equivalent focal length. NaN is unknown.
    """

    path: Path
    stamp_ns: int
    lat_deg: float
    lon_deg: float
    width: int
    height: int
    height_m: float = NAN
    flight_yaw_deg: float = NAN
    flight_pitch_deg: float = NAN
    flight_roll_deg: float = NAN
    gimbal_yaw_deg: float = NAN
    gimbal_pitch_deg: float = NAN
    focal_35mm: float = NAN

    def __post_init__(self) -> None:
        if not (abs(self.lat_deg) <= 90.0 and abs(self.lon_deg) <= 180.0):
            raise BagError(f"{self.path}: latitude {self.lat_deg}, longitude {self.lon_deg} is not a place")


def stamp_of(text: str, where: str) -> int:
    """Nanoseconds of an EXIF date; the zone is not recorded, so it is read as UTC.

    Raises:
        BagError: not such a date.
    """
    try:
        time = datetime.strptime(text.strip("\x00 "), TIME_FORMAT).replace(tzinfo=timezone.utc)
    except ValueError as error:
        raise BagError(f"{where}: time {text!r} is not YYYY:MM:DD HH:MM:SS") from error
    seconds = int(time.timestamp())
    if not 0 <= seconds <= MAX_SECONDS:
        raise BagError(f"{where}: time {text!r} is outside 1970 to 2038, the years that a ROS stamp can tell")
    return seconds * NS
