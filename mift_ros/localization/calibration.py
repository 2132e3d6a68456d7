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

import numpy as np
import yaml

from mift_ros.errors import ConfigError
from mift_ros.inference.embedder import ModelIdentity
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.covariance import ErrorModel

FORMAT = "mift calibration 5"
NONE = "none"
"""Value of the parameter `calibration` that asks for no calibration, not even the packaged one."""
SHA_SHOWN = 12
DIVISORS = ("alignment", "heading", "scale", "temperature")
"""Numbers by which something is divided in flight; `scale` is that of errors and of tails."""
UNUSUAL_ONE_IN = 10
"""A match that nothing supports must stand out more than all but one in so many of the best wrong ones do."""


@dataclass(frozen=True)
class Tail:
    """How often wrong matches look good: per frame where all is wrong, `rate` * exp(-(x - start) / scale) exceed x.

    x is a lead over the next best place or a significance, in sigma.
    """

    start: float
    rate: float
    scale: float

    def threshold(self, one_in: float) -> float:
        """What a wrong match exceeds in at most one of so many frames."""
        return self.start + self.scale * math.log(max(self.rate * one_in, 1.0))

    def per_frame(self, sigma: float) -> float:
        """Wrong matches per frame beyond a lead or a significance; only meant above `start`."""
        return self.rate * math.exp(-(sigma - self.start) / self.scale)


@dataclass(frozen=True)
class Calibration:
    """Fitted numbers and where they come from.

    `leads` is of the lead of the best wrong match over the next, `anywhere` of its significance, `expected` of the
    significance of wrong matches where the belief expects the match, all per frame in which the right place is not
    found. That is a `lost_share` of the frames over maps of `tiles`, of which the share in `ranks` (quantiles, evenly
    spaced) resembled the image more than the right one; a `misaligned_share` of the frames is lost though the right
    tile was verified. `usual` is the median significance of the best wrong match. `temperature` is the cosine
    difference worth a factor e in likelihood. `provenance` is for people.
    """

    model_sha256: str
    errors: ErrorModel
    leads: Tail
    anywhere: Tail
    expected: Tail
    usual: float
    lost_share: float
    misaligned_share: float
    tiles: float
    ranks: tuple[float, ...]
    temperature: float
    fitted: bool = True
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def lost(self, tiles: int, candidates: int) -> float:
        """Share of the frames in which another place than the right one matches best.

        The more tiles a map has, the more of them look more like the image than the right one, and only the best
        `candidates` are verified.
        """
        here, measured = (float(np.mean(np.array(self.ranks) * n >= candidates)) for n in (tiles, self.tiles))
        if here >= measured:
            return 1.0 - (1.0 - self.lost_share) * (1.0 - here) / max(1.0 - measured, 1e-9)
        return self.misaligned_share + (self.lost_share - self.misaligned_share) * here / measured

    def wrong(self, tiles: int, config: LocalizerConfig) -> float:
        """Share of the frames in which the best match is wrong: lost over the map, or of ground that is not on it."""
        return 1.0 - (1.0 - self.lost(tiles, config.candidates)) * (1.0 - config.off_map_share)

    def applied(self, config: LocalizerConfig, tiles: int) -> LocalizerConfig:
        """The parameters, for a map of so many tiles, with what they leave to the calibration (zeros) filled in."""
        one_in = config.false_fix_one_in
        return replace(
            config,
            min_lead=config.min_lead or self.leads.threshold(one_in * self.wrong(tiles, config)),
            min_significance=config.min_significance or self.anywhere.threshold(UNUSUAL_ONE_IN),
            # on a larger map a wrong match is as much less likely to lie where one is expected
            min_significance_expected=(
                config.min_significance_expected or self.expected.threshold(one_in * self.lost_share)
            ),
            similarity_temperature=config.similarity_temperature or self.temperature,
            attitude_sigma_deg=config.attitude_sigma_deg or math.degrees(self.errors.attitude_rad),
        )

    def error_model(self, config: LocalizerConfig) -> ErrorModel:
        """The weights of the error's sources with what the parameters say of the attitude."""
        sigma_deg = config.attitude_sigma_deg
        return replace(self.errors, attitude_rad=math.radians(sigma_deg)) if sigma_deg else self.errors

    def to_yaml(self) -> str:
        """The file `mift calibrate` writes."""
        content = {
            "format": FORMAT,
            **{k: v for k, v in asdict(self).items() if k != "fitted"},
            "ranks": list(self.ranks),
        }
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
            raw["model_sha256"], _numbers(ErrorModel, raw, "errors", where), _numbers(Tail, raw, "leads", where),
            _numbers(Tail, raw, "anywhere", where), _numbers(Tail, raw, "expected", where),
            _number(raw, "usual", where), _number(raw, "lost_share", where),
            _number(raw, "misaligned_share", where), _number(raw, "tiles", where), _ranks(raw, where),
            _number(raw, "temperature", where),
            provenance=raw.get("provenance") or {},
        )  # fmt: skip


APPROXIMATE = Calibration(
    model_sha256="",
    errors=ErrorModel(3.0, 8.0, 5.0, math.radians(2.0), 3.0, math.radians(2.0), 3.0, 0.02, 1.0, 1.0),
    leads=Tail(0.7, 0.4, 0.5),
    anywhere=Tail(5.5, 0.4, 0.7),
    expected=Tail(4.0, 0.1, 0.5),
    usual=5.5,
    lost_share=0.2,
    misaligned_share=0.1,
    tiles=1000.0,
    ranks=(0.0, 0.002, 0.02, 0.1, 0.4),
    temperature=0.05,
    fitted=False,
)
"""Guesses, somewhat more cautious than what was fitted to `mift_nano`."""


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
    return kind(**{f.name: _number(part, f.name, f"{where}: {name}") for f in fields(kind)})


def _ranks(raw: Mapping[str, Any], where: str) -> tuple[float, ...]:
    values = raw.get("ranks")
    if not isinstance(values, list) or not values:
        raise ConfigError(f"{where}: ranks are missing: make it again with `mift calibrate`")
    return tuple(_number({"ranks": value}, "ranks", where) for value in values)


def _number(part: Mapping[str, Any], name: str, where: str) -> float:
    value = part.get(name)
    least, wanted = (math.ulp(0.0), "above 0") if name in DIVISORS else (0.0, "from 0")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value < math.inf:
        raise ConfigError(f"{where}: {name} is {value!r}, not a number {wanted}: make it again with `mift calibrate`")
    return float(value)
