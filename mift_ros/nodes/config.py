"""Parameters of the node itself; those of the localizer are in LocalizerConfig. Both are declared by parameters.py."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mift_ros.geometry.camera import NADIR_MOUNT
from mift_ros.geometry.frames import rotation_from_rpy
from mift_ros.parameters import Parameters, flag, name, number


@dataclass(frozen=True)
class NodeConfig(Parameters):
    """What to load, what to listen to and how the camera is mounted."""

    cache_path: str = name("", "Map cache file, made by `mift map build`.")
    model: str = name("mift_nano", "Packaged model or ONNX file; the cache must have been built with it.")
    threads: int = number(0, 0, 256, "", "Threads of the model on the CPU; 0: all that the process may use.")
    autostart: bool = flag(False, "Configure and activate at start, without a lifecycle manager.")
    image_transport: str = name("raw", "Subscribe to `image` or to `image/compressed`.", ("raw", "compressed"))
    image_is_rectified: bool = flag(False, "The image is image_rect: P of camera_info holds for it, not K and D.")
    height_message: str = name(
        "range", "Type of `height_agl`: sensor_msgs/Range or std_msgs/Float64.", ("range", "float64")
    )
    map_frame: str = name("map", "frame_id of ~/pose: east and north metres from the centre of the map.")
    base_frame: str = name("base_link", "frame_id of ~/fix: the body whose position is published.")
    mount_roll_deg: float = number(
        0.0, -180.0, 180.0, "deg", "Camera turned about the body's forward axis, from nadir."
    )
    mount_pitch_deg: float = number(0.0, -90.0, 90.0, "deg", "Camera turned about the left axis; negative looks ahead.")
    mount_yaw_deg: float = number(
        0.0, -180.0, 180.0, "deg", "Camera turned about the up axis; 0: image top to the nose."
    )

    def body_from_camera(self) -> npt.NDArray[np.float64]:
        """Rotation [3, 3] of optical axes into body FLU axes: the nadir mount, turned by the mount angles."""
        turn = rotation_from_rpy(
            math.radians(self.mount_roll_deg), math.radians(self.mount_pitch_deg), math.radians(self.mount_yaw_deg)
        )
        return np.asarray(turn @ NADIR_MOUNT)
