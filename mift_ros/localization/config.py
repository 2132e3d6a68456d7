"""Every parameter of the localizer, declared once; the node, the replay and the documentation are derived from here."""

from __future__ import annotations

from dataclasses import dataclass

from mift_ros.errors import ConfigError
from mift_ros.parameters import Parameters, flag, name, number


@dataclass(frozen=True)
class LocalizerConfig(Parameters):
    """Validated on construction; build it from YAML or ROS parameters with `from_mapping`."""

    use_attitude: bool = flag(True, "Require roll and pitch; false assumes a level (gimbal-stabilised) nadir camera.")
    use_heading: bool = flag(True, "Use the heading of the telemetry when it is known; false searches all headings.")
    yaw_bins: int = number(18, 1, 360, "", "Headings tried when the heading is unknown.")
    looks: int = number(3, 1, 5, "", "Patches of one image that are searched together, if it shows more than a tile.")
    height_agl_min_m: float = number(30.0, 1.0, 20000.0, "m", "Lowest height above ground tried when it is unknown.")
    height_agl_max_m: float = number(300.0, 1.0, 20000.0, "m", "Greatest height above ground tried when it is unknown.")
    scale_bins: int = number(7, 1, 50, "", "Heights tried (log-spaced) when the height above ground is unknown.")
    max_tilt_deg: float = number(35.0, 0.0, 70.0, "deg", "Reject frames whose optical axis is further off nadir.")
    min_coverage: float = number(0.5, 0.05, 1.0, "", "Smallest share of a tile the rectified image must cover.")
    candidates: int = number(100, 1, 1000, "", "Best tiles that are verified; fewer once one place stands out.")
    prior_gate_sigma: float = number(4.0, 1.0, 20.0, "sigma", "Search within this many sigma of the prior.")
    lost_after_s: float = number(30.0, 0.0, 3600.0, "s", "Seconds without a fix after which the whole map is searched.")
    max_speed_mps: float = number(30.0, 0.1, 300.0, "m/s", "Fastest ground speed; widens the belief between frames.")
    odometry_sigma: float = number(0.1, 0.0, 1.0, "", "One sigma of the odometry's error per metre travelled.")
    similarity_temperature: float = number(
        0.0, 0.0, 1.0, "", "Similarity difference worth a factor e in likelihood; 0: as calibrated."
    )
    outlier_share: float = number(0.2, 0.001, 0.9, "", "Share of frames whose best tile says nothing of the place.")
    scale_tolerance: float = number(0.1, 0.0, 0.5, "", "Relative error of the height that the refinement searches.")
    heading_tolerance_deg: float = number(
        8.0, 0.0, 45.0, "deg", "Error of a known heading that the refinement searches."
    )
    min_texture: float = number(4.0, 0.0, 100.0, "grey levels", "Reject patches with less local contrast.")
    min_sharpness: float = number(0.6, 0.0, 1000.0, "grey levels", "Reject patches with a smaller mean gradient.")
    calibration: str = name("", 'Calibration file by `mift calibrate`; empty: the model\'s own, "none": guesses.')
    false_fix_one_in: float = number(
        500.0, 2.0, 1e6, "frames", "At most one false fix in so many; below 200 an unexpected match must be as clear."
    )
    off_map_share: float = number(0.1, 0.0, 1.0, "", "Share of them taken to show ground that the map does not.")
    min_lead: float = number(
        0.0, 0.0, 50.0, "sigma", "Reject an unexpected match that leads the next best by less; 0: by false_fix_one_in."
    )
    min_significance: float = number(
        0.0, 0.0, 50.0, "sigma", "Reject one that stands out less from random places; 0: as calibrated."
    )
    min_significance_expected: float = number(
        0.0, 0.0, 50.0, "sigma", "The same where the matches before expect it; 0: by false_fix_one_in."
    )
    min_posterior: float = number(
        0.99, 0.0, 1.0, "", "Probability of a place, by the matches before the frame, that makes a match expected."
    )
    max_telemetry_age_s: float = number(0.2, 0.0, 10.0, "s", "Oldest telemetry that is used, before the exposure.")
    height_along_body: bool = flag(
        False, "height_agl is measured along the down axis of the body that the IMU is of: a fixed rangefinder."
    )
    attitude_sigma_deg: float = number(
        0.0, 0.0, 45.0, "deg", "One sigma of roll and pitch of the camera; 0: as calibrated."
    )
    map_sigma_m: float = number(
        3.0, 0.0, 1000.0, "m", "One sigma per axis of the map's own georeference, on top of the calibration."
    )
    use_terrain: bool = flag(True, "Use the terrain model in the cache if it has one; false takes the ground as level.")
    terrain_sigma_m: float = number(
        3.0, 0.01, 1000.0, "m", "One sigma of the terrain model's heights where the vehicle looks, datum included."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.height_agl_min_m > self.height_agl_max_m:
            raise ConfigError(
                f"height_agl_min_m {self.height_agl_min_m:g} is above height_agl_max_m {self.height_agl_max_m:g}"
            )
