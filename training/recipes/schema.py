"""A recipe: everything that decides a training run."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any


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
