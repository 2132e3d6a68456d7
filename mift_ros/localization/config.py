"""Every parameter of the localizer, declared once; the node, the replay and the documentation are derived from here."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mift_ros.errors import ConfigError


def _number(default: float, low: float, high: float, unit: str, text: str) -> Any:
    return dataclasses.field(default=default, metadata={"low": low, "high": high, "unit": unit, "text": text})


def _flag(default: bool, text: str) -> Any:
    return dataclasses.field(default=default, metadata={"unit": "", "text": text})


@dataclass(frozen=True)
class LocalizerConfig:
    """Validated on construction; build it from YAML or ROS parameters with `from_mapping`."""

    use_attitude: bool = _flag(True, "Require roll and pitch; false assumes a level (gimbal-stabilised) nadir camera.")
    use_heading: bool = _flag(True, "Use the heading of the telemetry when it is known; false searches all headings.")
    yaw_bins: int = _number(36, 1, 360, "", "Headings tried when the heading is unknown.")
    height_agl_min_m: float = _number(30.0, 1.0, 20000.0, "m", "Lowest height above ground tried when it is unknown.")
    height_agl_max_m: float = _number(300.0, 1.0, 20000.0, "m", "Greatest height above ground tried when it is unknown.")
    scale_bins: int = _number(7, 1, 50, "", "Heights tried (log-spaced) when the height above ground is unknown.")
    max_tilt_deg: float = _number(35.0, 0.0, 70.0, "deg", "Reject frames whose optical axis is further off nadir.")
    min_coverage: float = _number(0.5, 0.05, 1.0, "", "Smallest share of a tile the rectified image must cover.")
    candidates: int = _number(50, 1, 1000, "", "Best tiles kept by the search and verified by the refinement.")
    prior_gate_sigma: float = _number(4.0, 1.0, 20.0, "sigma", "Search within this many sigma of the prior.")
    lost_after_s: float = _number(30.0, 0.0, 3600.0, "s", "Seconds without a fix after which the whole map is searched.")
    max_speed_mps: float = _number(30.0, 0.1, 300.0, "m/s", "Fastest ground speed; widens the belief between frames.")
    odometry_sigma: float = _number(0.1, 0.0, 1.0, "", "One sigma of the odometry's error per metre travelled.")
    similarity_temperature: float = _number(0.05, 0.001, 1.0, "", "Similarity difference that makes a tile e times likelier.")
    outlier_share: float = _number(0.2, 0.001, 0.9, "", "Share of frames whose best tile says nothing of the place.")
    scale_tolerance: float = _number(0.1, 0.0, 0.5, "", "Relative error of the height that the refinement searches.")
    heading_tolerance_deg: float = _number(8.0, 0.0, 45.0, "deg", "Error of the heading that the refinement searches.")
    min_texture: float = _number(4.0, 0.0, 100.0, "grey levels", "Reject patches with less local contrast.")
    min_sharpness: float = _number(0.6, 0.0, 1000.0, "grey levels", "Reject patches with a smaller mean gradient.")
    min_similarity: float = _number(0.1, -1.0, 1.0, "", "Reject matches whose structural correlation is lower.")
    min_margin: float = _number(1.25, 1.0, 10.0, "", "Reject when the best place is not this many times the next best.")
    min_posterior: float = _number(0.5, 0.0, 1.0, "", "Least share of the belief near the match when the margin is low.")
    max_telemetry_age_s: float = _number(0.2, 0.0, 10.0, "s", "Oldest telemetry, relative to the exposure, that is used.")
    position_sigma_m: float = _number(8.0, 0.1, 1000.0, "m", "Horizontal one sigma of a fix, until calibrated.")

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _check(field, getattr(self, field.name))
        if self.height_agl_min_m > self.height_agl_max_m:
            raise ConfigError(
                f"height_agl_min_m {self.height_agl_min_m:g} is above height_agl_max_m {self.height_agl_max_m:g}"
            )

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> LocalizerConfig:
        """Build from names and values; an unknown name, wrong type or value out of range is a ConfigError."""
        known = {f.name: f for f in dataclasses.fields(cls)}
        for name in values:
            if name not in known:
                close = difflib.get_close_matches(str(name), known, n=1)
                hint = f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(known)}"
                raise ConfigError(f"unknown parameter {name!r}{hint}")
        return cls(**{name: _coerce(known[name], value) for name, value in values.items()})


def _coerce(field: dataclasses.Field[Any], value: Any) -> Any:
    """YAML and ROS write 36.0 as 36: accept an int for a float, nothing else."""
    if isinstance(field.default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def _check(field: dataclasses.Field[Any], value: Any) -> None:
    wanted = type(field.default)
    if type(value) is not wanted:
        raise ConfigError(f"parameter {field.name} must be {wanted.__name__}, not {value!r}")
    if wanted is bool:
        return
    low, high, unit = field.metadata["low"], field.metadata["high"], field.metadata["unit"]
    if not (math.isfinite(value) and low <= value <= high):
        raise ConfigError(f"parameter {field.name} = {value} is outside {low:g} to {high:g} {unit}".rstrip())
