"""What was learnt from flights with truth: how wrong right matches are, and how good wrong ones look.

A calibration belongs to one model's weights; `mift calibrate` writes it, the localizer applies it. Without one there
are cautious guesses, and the covariance says of itself that it is not calibrated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from mift_ros.errors import ConfigError
from mift_ros.inference.embedder import ModelIdentity
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.covariance import ErrorModel

FORMAT = "mift calibration 1"
NONE = "none"
"""Value of the parameter `calibration` that asks for no calibration, not even the packaged one."""
SHA_SHOWN = 12


@dataclass(frozen=True)
class Tail:
    """How often wrong matches look good: per frame where all is wrong, `rate` * exp(-(s - start) / scale) exceed s."""

    start: float
    rate: float
    scale: float

    def threshold(self, one_in: float) -> float:
        """The significance that a wrong match exceeds in at most one of so many frames."""
        return self.start + self.scale * math.log(max(self.rate * one_in, 1.0))

    def per_frame(self, significance: float) -> float:
        """Wrong matches per frame beyond a significance; only meant above `start`."""
        return self.rate * math.exp(-(significance - self.start) / self.scale)


@dataclass(frozen=True)
class Calibration:
    """Fitted numbers and where they come from.

    `anywhere` is of wrong matches wherever they lie, `expected` of those where the belief expects the match, both per
    frame in which the right place is not found. Over the map that is a `lost_share` of the frames, elsewhere it is all.
    `temperature` is the cosine difference worth a factor e in likelihood. `provenance` is for people.
    """

    model_sha256: str
    errors: ErrorModel
    anywhere: Tail
    expected: Tail
    lost_share: float
    temperature: float
    fitted: bool = True
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def applied(self, config: LocalizerConfig) -> LocalizerConfig:
        """The parameters with what they leave to the calibration (zeros) filled in."""
        lost_in = config.false_fix_one_in * self.lost_share
        return replace(
            config,
            min_significance=config.min_significance or self.anywhere.threshold(lost_in),
            min_significance_expected=config.min_significance_expected or self.expected.threshold(lost_in),
            similarity_temperature=config.similarity_temperature or self.temperature,
            attitude_sigma_deg=config.attitude_sigma_deg or math.degrees(self.errors.attitude_rad),
        )

    def error_model(self, config: LocalizerConfig) -> ErrorModel:
        """The weights of the error's sources with what the parameters say of the attitude."""
        sigma_deg = config.attitude_sigma_deg
        return replace(self.errors, attitude_rad=math.radians(sigma_deg)) if sigma_deg else self.errors

    def to_yaml(self) -> str:
        """The file `mift calibrate` writes."""
        content = {"format": FORMAT, **{k: v for k, v in asdict(self).items() if k != "fitted"}}
        return str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120))

    @classmethod
    def from_yaml(cls, text: str, where: str) -> Calibration:
        """Parse to_yaml's text; `where` names the file in the error.

        Raises:
            ConfigError: not a calibration, of another format, or a number that cannot be.
        """
        try:
            raw = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ConfigError(f"{where}: not YAML ({' '.join(str(error).split())})") from error
        if not isinstance(raw, dict) or raw.get("format") != FORMAT:
            found = raw.get("format") if isinstance(raw, dict) else None
            raise ConfigError(f"{where}: format {found!r}, wanted {FORMAT!r}: make it with `mift calibrate`")
        if not isinstance(raw.get("model_sha256"), str):
            raise ConfigError(f"{where}: model_sha256 is missing: make it again with `mift calibrate`")
        return cls(
            raw["model_sha256"], _numbers(ErrorModel, raw, "errors", where), _numbers(Tail, raw, "anywhere", where),
            _numbers(Tail, raw, "expected", where), _positive(raw, "lost_share", where),
            _positive(raw, "temperature", where),
            provenance=raw.get("provenance") or {},
        )  # fmt: skip


APPROXIMATE = Calibration(
    model_sha256="",
    errors=ErrorModel(3.0, 8.0, 5.0, math.radians(2.0), 3.0, math.radians(2.0), 3.0, 0.02),
    anywhere=Tail(4.25, 1.0, 0.4),
    expected=Tail(4.0, 0.1, 0.5),
    lost_share=1.0,
    temperature=0.05,
    fitted=False,
)
"""Guesses: of 116 single views of places that are not there the best stood out by 6.4 sigma; 7 for one in 1000. Of
1,284 matches in three flights over the wrong town, the best eight of forty places each, half were beyond 4."""


def load_calibration(choice: str, identity: ModelIdentity) -> Calibration:
    """The calibration of a file, or for an empty choice the one packaged for the model, or for "none" the guesses.

    Raises:
        ConfigError: the file cannot be read, or was fitted with other weights than the model's.
    """
    if choice == NONE:
        return APPROXIMATE
    if choice:
        return _read(Path(choice), identity)
    packaged = files("mift_ros").joinpath(f"weights/{identity.variant}.calibration.yaml")
    if not packaged.is_file():
        return APPROXIMATE
    found = Calibration.from_yaml(packaged.read_text(encoding="utf-8"), packaged.name)
    return found if found.model_sha256 == identity.weights_sha256 else APPROXIMATE


def _read(path: Path, identity: ModelIdentity) -> Calibration:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"calibration {path}: cannot be read ({error})") from error
    found = Calibration.from_yaml(text, f"calibration {path}")
    if found.model_sha256 != identity.weights_sha256:
        raise ConfigError(
            f"calibration {path}: fitted with weights {found.model_sha256[:SHA_SHOWN]}, but the loaded model is "
            f"{identity.variant} {identity.weights_sha256[:SHA_SHOWN]}: run `mift calibrate` with this model"
        )
    return found


def _numbers(kind: type[Any], raw: Mapping[str, Any], name: str, where: str) -> Any:
    part = raw.get(name)
    if not isinstance(part, dict):
        raise ConfigError(f"{where}: {name} is missing: make it again with `mift calibrate`")
    return kind(**{f.name: _positive(part, f.name, f"{where}: {name}") for f in fields(kind)})


def _positive(part: Mapping[str, Any], name: str, where: str) -> float:
    value = part.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not (math.isfinite(value) and value >= 0):
        raise ConfigError(f"{where}: {name} is {value!r}, not a number from 0: make it again with `mift calibrate`")
    return float(value)
