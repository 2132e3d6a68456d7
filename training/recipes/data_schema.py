"""The part of a recipe that says what a network is shown."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, fields
from typing import NamedTuple


@dataclass(frozen=True)
class SourceSpec:
    """One kind of imagery.

    images: glob below the data folder, or pairs: glob of shards that `mift train data pairs` rendered; share: part of
    the draws of a place, a draw that finds none being followed by one among all sources, so that a source with much
    masked ground, or with few places beside those that a batch has, gives less of the batch; gsd_m: metres per pixel
    where the files carry none; hold_out_every: every n-th image or shard is kept for evaluation (1: all, 0: none);
    overlapping: its images may show the same ground, so a batch takes places of one of them at most; appearance,
    geometry: factors of the changes between the two views, for pairs that differ already.
    """

    images: str = ""
    share: float = 1.0
    gsd_m: float = 0.0
    hold_out_every: int = 0
    overlapping: bool = False
    pairs: str = ""
    appearance: float = 1.0
    geometry: float = 1.0

    def holds_out(self, index: int) -> bool:
        """Whether the image or shard of this number, in the order of the names, is kept for evaluation."""
        return bool(self.hold_out_every) and index % self.hold_out_every == 0


@dataclass(frozen=True)
class GeometrySpec:
    """Largest framing error between the two views: shift and scale as shares of the side, tilt as change of depth."""

    shift: float = 0.16
    turn_deg: float = 10.0
    scale: float = 0.15
    tilt: float = 0.12
    relief_px: float = 2.0

    def softened(self, factor: float) -> GeometrySpec:
        """All limits times factor."""
        return GeometrySpec(**{f.name: factor * getattr(self, f.name) for f in fields(self)})


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


class Changes(NamedTuple):
    """What is done to the two views of a place."""

    map: AppearanceSpec
    drone: AppearanceSpec
    geometry: GeometrySpec


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
class OrthophotosSpec:
    """Self-supervised pairs: two differently distorted views of random places of aerial images."""

    sources: tuple[SourceSpec, ...]
    views: ViewsSpec = field(default_factory=ViewsSpec)

    def changes(self, group: int, factor: float = 1.0) -> Changes:
        """Of the places of a source, its number given, those of appearance at a factor of their strength."""
        source, views = self.sources[group], self.views
        map_, drone = (look.softened(factor * source.appearance) for look in (views.map, views.drone))
        return Changes(map_, drone, views.geometry.softened(source.geometry))


@dataclass(frozen=True)
class AugmentSpec:
    """What happens to the images of a class before the network sees them; probabilities unless said otherwise.

    flip: left-right, of each image alone; flip_together: of the satellite and drone image of a row at once; crop: share
    of the side by which the image is padded before a random crop; satellite_shift: largest shift of a satellite image,
    share of the side; satellite_turns: turn satellite images by a random multiple of 90 degrees (0 or 1); the rest
    changes the look of both views.
    """

    flip: float = 0.0
    flip_together: float = 0.0
    crop: float = 0.0
    satellite_shift: float = 0.0
    satellite_turns: bool = False
    colour: float = 0.0
    focus: float = 0.0
    jpeg: float = 0.0
    dropout: float = 0.0


class HardNegatives(str, enum.Enum):
    """Where the classes that share a batch come from."""

    NONE = "none"
    EMBEDDING = "embedding"
    """Classes whose embeddings were nearest at the end of an epoch before."""
    GEOGRAPHIC = "geographic"
    """Classes that lie nearest on the ground; needs a data set with positions."""


@dataclass(frozen=True)
class MultiviewSpec:
    """Classes with satellite and drone images: University-1652, SUES-200, DenseUAV, or the synthetic set.

    heights_m: of the drone images to train on, where the set has several (SUES-200; empty: all); hard_share: part of a
    batch that hard negatives fill, from the neighbours nearest classes of each anchor class, after the first
    hard_after_epochs epochs; they are mined anew every hard_every_epochs epochs, since workers have to begin anew then.
    """

    heights_m: tuple[int, ...] = ()
    augment: AugmentSpec = field(default_factory=AugmentSpec)
    hard_negatives: HardNegatives = HardNegatives.NONE
    hard_share: float = 0.5
    neighbours: int = 32
    hard_after_epochs: int = 1
    hard_every_epochs: int = 1


@dataclass(frozen=True)
class DataSpec:
    """Exactly one kind of data."""

    orthophotos: OrthophotosSpec | None = None
    multiview: MultiviewSpec | None = None
