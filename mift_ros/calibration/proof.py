"""Does the fit hold on flights that it has not seen, and what does a threshold cost in fixes?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mift_ros.calibration.components import squared_sigmas
from mift_ros.calibration.design import KNOWN, design_of, horizontal
from mift_ros.calibration.fit import RIGHT_M, fit_errors, right, significances
from mift_ros.calibration.samples import AS_FLOWN, Sample
from mift_ros.errors import ConfigError
from mift_ros.localization.calibration import UNUSUAL_ONE_IN, Calibration
from mift_ros.localization.covariance import covariance
from mift_ros.localization.gate import lead

Vector = npt.NDArray[np.float64]
FOLDS = 8
"""Groups of grounds, or of flights over a single one, each judged by a fit to the others."""


@dataclass(frozen=True)
class Proof:
    """Figures of right matches under covariances that were fitted to other flights.

    `sigmas` are their distances (Mahalanobis), `within` the shares inside 1, 2, 3 sigma, `nees` per degree of freedom
    (1 is right), `heading_nees` likewise.
    """

    flights: int
    matches: int
    sigmas: Vector
    within: tuple[float, float, float]
    nees: float
    nees_by_flight: dict[str, float]
    heading_nees: float


def prove(samples: Sequence[Sample]) -> Proof:
    """Judge every ground, or every flight over a single one, by a fit that did not see it.

    Raises:
        ConfigError: a single flight, or too few matches in the others.
    """
    good = right(samples)
    flights = sorted({s.flight for s in good})
    if len(flights) < 2:
        raise ConfigError("one flight cannot prove its own calibration: give at least two")
    design = design_of([s.sources for s in good])
    squared, turned = np.zeros(len(good)), np.zeros(len(good))
    groups = [s.ground for s in good]
    if len(set(groups)) < 2:
        groups = [s.flight for s in good]
    every = sorted(set(groups))
    for fold in range(min(FOLDS, len(every))):
        held = np.isin(groups, every[fold::FOLDS])
        model = fit_errors([s for s, out in zip(good, held) if not out], design.taken(~held))
        judged = [s for s, out in zip(good, held) if out]
        errors = np.array([s.error_m for s in judged])
        squared[held] = squared_sigmas(errors, horizontal([s.sources for s in judged], model))
        turned[held] = [_heading_nees(s, covariance(s.sources, model, KNOWN)[5, 5]) for s in judged]
    names = np.array([s.flight for s in good])
    one, two, three = (float((squared <= k * k).mean()) for k in (1, 2, 3))
    by_flight = {name: float(squared[names == name].mean() / 2) for name in flights}
    return Proof(
        len(flights), len(good), np.sqrt(squared), (one, two, three), float(squared.mean() / 2), by_flight,
        float(np.nanmean(turned)),
    )  # fmt: skip


def _heading_nees(sample: Sample, variance: float) -> float:
    return math.radians(sample.heading_error_deg) ** 2 / variance


@dataclass(frozen=True)
class Curve:
    """Per threshold on the lead: share of frames as flown that are fixed, and of wrong matches that pass.

    A frame is fixed that stands out enough too. `false_share` is counted, `false_model` from the tail: they should
    agree where there is something to count.
    """

    thresholds: Vector
    available: Vector
    false_share: Vector
    false_model: Vector
    frames: int
    wrong_frames: int


def operating_curve(samples: Sequence[Sample], wrong: Sequence[Sample], fitted: Calibration) -> Curve:
    """What each threshold would have given, every frame by itself."""
    flown = [s for s in samples if s.kind == AS_FLOWN]
    least = fitted.anywhere.threshold(UNUSUAL_ONE_IN)
    fixed = [s.places[0][0] <= RIGHT_M and significances(s)[0] >= least for s in flown]
    best = np.array([_lead(s, fitted) if right else -1.0 for s, right in zip(flown, fixed)])
    passed = np.array([_lead(s, fitted) for s in wrong])
    tail = fitted.leads
    thresholds = np.linspace(0.0, max(float(best.max(initial=0.0)), tail.threshold(1e6)), 200)
    return Curve(
        thresholds,
        np.array([(best >= t).mean() for t in thresholds]),
        np.array([(passed >= t).mean() for t in thresholds]),
        np.array([min(tail.per_frame(t), 1.0) if t > tail.start else np.nan for t in thresholds]),
        len(flown),
        len(wrong),
    )  # fmt: skip


def _lead(sample: Sample, fitted: Calibration) -> float:
    return lead(significances(sample), fitted.usual)
