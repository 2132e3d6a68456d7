"""A recipe: everything that decides a training run, in one YAML file; unknown keys are refused."""

from __future__ import annotations

import types
import typing
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

import yaml

from mift_ros.errors import TrainingError


@dataclass(frozen=True)
class SourceSpec:
    """One kind of imagery.

    images: glob below the data folder; share: part of each batch; gsd_m: metres per pixel where the files carry none;
    hold_out_every: every n-th image is kept for evaluation (1: all, 0: none); overlapping: its images may show the
    same ground, so a batch takes places of one of them at most.
    """

    images: str
    share: float = 1.0
    gsd_m: float = 0.0
    hold_out_every: int = 0
    overlapping: bool = False


@dataclass(frozen=True)
class GeometrySpec:
    """Largest framing error between the two views: shift and scale as shares of the side, tilt as change of depth."""

    shift: float = 0.16
    turn_deg: float = 10.0
    scale: float = 0.15
    tilt: float = 0.12
    relief_px: float = 2.0


@dataclass(frozen=True)
class AppearanceSpec:
    """Strength of all changes (1 is full) and the probability of each."""

    strength: float = 1.0
    tone: float = 0.9
    season: float = 0.5
    cars: float = 0.4
    blocks: float = 0.35
    sun_relief: float = 0.4
    shadows: float = 0.4
    bands: float = 0.6
    colour_field: float = 0.5
    mix: float = 0.8
    saturation: float = 0.7
    exposure: float = 0.9
    haze: float = 0.25
    coarser: float = 0.35
    focus: float = 0.5
    noise: float = 0.4
    black_corner: float = 0.2
    jpeg: float = 0.4

    def softened(self, factor: float) -> AppearanceSpec:
        """Strength and all probabilities times factor."""
        return AppearanceSpec(**{f.name: factor * getattr(self, f.name) for f in fields(self)})


@dataclass(frozen=True)
class ViewsSpec:
    """Side of the places on the ground, source pixels a side needs, and the two views.

    The changes of appearance begin at gentle_start of their strength and are full after ramp_steps: a network that
    knows nothing yet finds no hold in heavily changed views.
    """

    side_m: tuple[float, float] = (50.0, 150.0)
    least_px: float = 88.0
    finest_gsd_m: float = 0.3
    gentle_start: float = 1.0
    ramp_steps: int = 0
    geometry: GeometrySpec = field(default_factory=GeometrySpec)
    map: AppearanceSpec = field(default_factory=AppearanceSpec)
    drone: AppearanceSpec = field(default_factory=AppearanceSpec)

    def factor_at(self, step: int) -> float:
        """Part of the full strength at a step."""
        progress = min(step / self.ramp_steps, 1.0) if self.ramp_steps else 1.0
        return self.gentle_start + (1.0 - self.gentle_start) * progress


@dataclass(frozen=True)
class EvaluationSpec:
    """Held-out places: their side and most number, the seed of their views, and how often they are tried."""

    side_m: float = 72.0
    places: int = 600
    seed: int = 1
    every_steps: int = 100


@dataclass(frozen=True)
class OptimizerSpec:
    """AdamW with warm-up and cosine, gradient clip and moving average of the weights."""

    learning_rate: float = 1.5e-3
    weight_decay: float = 0.05
    warmup_steps: int = 50
    clip_norm: float = 1.0
    ema_decay: float = 0.99


@dataclass(frozen=True)
class Recipe:
    """A training run; precision: float32 or bfloat16 (autocast); workers: processes that prepare batches (0: none)."""

    name: str
    variant: str
    sources: tuple[SourceSpec, ...]
    seed: int = 0
    steps: int = 1000
    batch_pairs: int = 128
    branch_weight: float = 0.25
    label_smoothing: float = 0.0
    precision: str = "float32"
    workers: int = 0
    checkpoint_minutes: float = 5.0
    optimizer: OptimizerSpec = field(default_factory=OptimizerSpec)
    views: ViewsSpec = field(default_factory=ViewsSpec)
    evaluation: EvaluationSpec = field(default_factory=EvaluationSpec)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as YAML and checkpoints hold them."""
        return asdict(self)


def load_recipe(path: Path, overrides: tuple[str, ...] = ()) -> Recipe:
    """Read a recipe and apply `key.subkey=value` overrides; raises TrainingError naming the file and the key."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TrainingError(f"{path}: no such recipe; see training/recipes") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TrainingError(f"{path}: the recipe cannot be read ({' '.join(str(error).split())})") from error
    if not isinstance(raw, dict):
        raise TrainingError(f"{path}: a recipe is a YAML mapping with name, variant and sources")
    for override in overrides:
        _apply(raw, override)
    return parse_recipe(raw, str(path))


def parse_recipe(raw: dict[str, Any], where: str) -> Recipe:
    """A Recipe from plain values; raises TrainingError for unknown, missing, mistyped and impossible ones."""
    recipe: Recipe = _parse(Recipe, raw, where, "")
    _check(recipe, where)
    return recipe


def _apply(raw: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    if not separator:
        raise TrainingError(f"--set {override}: write key=value, for example optimizer.learning_rate=0.001")
    *parents, last = key.split(".")
    node = raw
    for parent in parents:
        node = node.setdefault(parent, {})
        if not isinstance(node, dict):
            raise TrainingError(f"--set {override}: '{parent}' has no keys below it")
    try:
        node[last] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise TrainingError(f"--set {override}: '{text}' is not a YAML value") from error


def _parse(kind: Any, raw: Any, where: str, prefix: str) -> Any:
    if not isinstance(raw, dict):
        raise TrainingError(f"{where}: '{prefix.rstrip('.')}' is a mapping, not {type(raw).__name__}")
    hints = typing.get_type_hints(kind)
    unknown = sorted(str(key) for key in set(raw) - set(hints))
    if unknown:
        known = ", ".join(sorted(hints))
        raise TrainingError(f"{where}: unknown key '{prefix}{unknown[0]}'; known here: {known}")
    values = {key: _value(hints[key], value, where, f"{prefix}{key}") for key, value in raw.items()}
    try:
        return kind(**values)
    except TypeError:
        needed = {f.name for f in fields(kind) if f.name in ("name", "variant", "sources", "images")}
        raise TrainingError(f"{where}: missing key '{prefix}{sorted(needed - set(raw))[0]}'") from None


def _value(hint: Any, value: Any, where: str, key: str) -> Any:
    if is_dataclass(hint):
        return _parse(hint, value, where, f"{key}.")
    if typing.get_origin(hint) is tuple:
        return _tuple(typing.get_args(hint), value, where, key)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is float and isinstance(value, str):  # YAML 1.1 reads 1e-3, without a point, as text
        value = _number(value)
    if type(value) is not hint:
        raise TrainingError(f"{where}: '{key}' is {_name(hint)}, not {value!r}")
    return value


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _tuple(kinds: tuple[Any, ...], value: Any, where: str, key: str) -> tuple[Any, ...]:
    repeated = kinds[-1] is Ellipsis
    if not isinstance(value, list) or not (repeated or len(value) == len(kinds)):
        raise TrainingError(f"{where}: '{key}' is a list{'' if repeated else f' of {len(kinds)}'}, not {value!r}")
    members = [kinds[0]] * len(value) if repeated else list(kinds)
    return tuple(
        _value(kind, item, where, f"{key}[{i}]") for i, (kind, item) in enumerate(zip(members, value, strict=True))
    )


def _name(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not isinstance(hint, types.GenericAlias) else str(hint)


def _check(recipe: Recipe, where: str) -> None:
    low, high = recipe.views.side_m
    rules = (
        (bool(recipe.sources), "sources: give at least one"),
        (all(source.share >= 0 for source in recipe.sources), "sources: a share is not negative"),
        (recipe.steps >= 1, "steps: at least 1"),
        (recipe.batch_pairs >= 2, "batch_pairs: at least 2, InfoNCE needs negatives"),
        (recipe.precision in ("float32", "bfloat16"), "precision: float32 or bfloat16"),
        (0 < low <= high, "views.side_m: 0 < smallest <= largest"),
        (0 <= recipe.optimizer.ema_decay < 1, "optimizer.ema_decay: from 0 to below 1"),
        (recipe.optimizer.learning_rate > 0, "optimizer.learning_rate: above 0"),
        (recipe.evaluation.places >= 2, "evaluation.places: at least 2"),
    )
    for holds, message in rules:
        if not holds:
            raise TrainingError(f"{where}: {message}")
