"""From samples to a calibration: error model, tails of wrong matches, temperature."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from mift_ros.calibration.components import fit_weights, squared_sigmas
from mift_ros.calibration.design import FACTORS, Design, design_of
from mift_ros.calibration.samples import AS_FLOWN, ELSEWHERE, TEMPERATURES, TURNED, Sample
from mift_ros.errors import ConfigError
from mift_ros.localization.calibration import UNUSUAL_ONE_IN, Calibration, Tail
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.covariance import ErrorModel
from mift_ros.localization.gate import NEIGHBOURHOOD_M, lead
from mift_ros.localization.places import SAME_PLACE_M

Vector = npt.NDArray[np.float64]
RIGHT_M = SAME_PLACE_M
"""A match nearer to the truth than this is of the right place: its error is a residual, not a mistake."""
START = np.array([1.0, 1.0, math.radians(0.5) ** 2, 1.0, 1.0])
"""The order of magnitude of the squares of design.WEIGHTS, and of the share of the scale's error that moves."""
LEAST_RIGHT = 30
LEAST_WRONG = 50
GATED = -2 * math.log(0.01)
"""Squared sigmas in two dimensions beyond which one of a hundred Gaussian errors lies."""
MEAN_OF_GATED = 1.0 - GATED / 2 * 0.01 / 0.99
"""Of half the squared sigmas of the other ninety-nine."""
ROUNDS = 30
RANKS, RANK_DIGITS = 51, 5
TAIL_SHARE = 0.4
"""Share of the wrong matches, the best-looking, that the tail is fitted to."""


def fit(samples: Sequence[Sample], wrong: Sequence[Sample], config: LocalizerConfig) -> Calibration:
    """Fit everything but the model's identity; leads to the `wrong` samples, whose matches cannot be right.

    Raises:
        ConfigError: too few right or wrong matches.
    """
    if len(wrong) < LEAST_WRONG:
        raise ConfigError(f"{len(wrong)} wrong matches are too few to fit a gate, {LEAST_WRONG} are needed")
    usual = float(np.median([significances(s)[0] for s in wrong]))
    leads = fit_tail([lead(significances(s), usual) for s in wrong])
    # unlike leads, significances are only comparable over maps alike
    alike = [s for s in samples if s.kind in (TURNED, ELSEWHERE)]
    anywhere = fit_tail([significances(s)[0] for s in (alike if len(alike) >= LEAST_WRONG else wrong)])
    expected = replace(anywhere, rate=anywhere.rate * near_share(samples))
    errors = fit_errors(clear(samples, leads, usual))
    tiles = float(np.mean([s.tiles for s in samples if s.kind == AS_FLOWN]))
    return Calibration(
        "", errors, leads, anywhere, expected, usual, lost_share(samples), misaligned_share(samples, config.candidates),
        tiles, fit_ranks(samples), fit_temperature(samples, config.outlier_share),
    )  # fmt: skip


def right(samples: Sequence[Sample]) -> list[Sample]:
    """The samples whose best place is the right one."""
    return [s for s in samples if s.kind == AS_FLOWN and math.hypot(*s.error_m) <= RIGHT_M]


def clear(samples: Sequence[Sample], leads: Tail, usual: float) -> list[Sample]:
    """The right ones that lead more clearly than nine of ten wrong ones: others are not published, and lie anywhere.

    Among all within RIGHT_M there are places that match best by chance, 20 m off; they would be a part of every fix's
    covariance.
    """
    least = leads.threshold(UNUSUAL_ONE_IN)
    return [s for s in right(samples) if lead(significances(s), usual) >= least]


def fit_errors(good: Sequence[Sample], design: Design | None = None) -> ErrorModel:
    """The error model of right matches by maximum likelihood: heading and scale by their own errors, then the position.

    `design` is that of the samples, if it is known already.
    """
    if len(good) < LEAST_RIGHT:
        raise ConfigError(f"{len(good)} right matches are too few to fit a covariance, {LEAST_RIGHT} are needed")
    design = design or design_of([s.sources for s in good])
    heading, heading_floor = _fit_one(np.radians([s.heading_error_deg for s in good]), design.heading)
    # against the measured height, whose own error is in it: cautious by as much as that sensor errs
    scale, scale_floor = _fit_one(np.log([s.height_ratio for s in good]), design.scale)
    errors = np.array([s.error_m for s in good])
    known = design.turned(heading, heading_floor)
    parts = np.concatenate([design.parts, design.scaled(scale, scale_floor)[None]])
    best, least = (0, np.zeros(len(START))), math.inf
    for factor, alignment in enumerate(design.alignment):
        weights, cost = fit_weights(errors, parts, alignment + known, START)
        if cost < least:
            best, least = (factor, weights), cost
    cov = design.alignment[best[0]] + known + np.tensordot(best[1], parts, axes=1)
    width = width_of(squared_sigmas(errors, cov))
    residual, parallax, attitude, pull, share = (width * float(w) for w in np.sqrt(best[1]))
    return ErrorModel(
        width * float(FACTORS[best[0]]), residual, parallax, attitude, float(FACTORS[heading]), heading_floor,
        float(FACTORS[scale]), scale_floor, pull, share,
    )  # fmt: skip


def width_of(squared: Vector) -> float:
    """By how much one sigma should be wider, from squared distances in two dimensions.

    The mean square of those that a filter takes in: what lies beyond GATED, one in a hundred of a Gaussian's, it
    refuses, and the few frames with far longer errors would else widen all others.
    """
    width = float(squared.mean()) / 2
    for _ in range(ROUNDS):
        width = float(squared[squared <= GATED * width].mean()) / 2 / MEAN_OF_GATED
    return math.sqrt(width)


def _fit_one(errors: Vector, variances: Vector) -> tuple[int, float]:
    """Which factor, and the floor, of a scalar error [N], given its variances per factor [F, N]."""
    told = np.isfinite(errors)
    errors, best, least = errors[told], (0, 0.02), math.inf
    if not len(errors):
        return best
    for factor, base in enumerate(variances):
        start = np.array([max(float(errors.var()), 1e-8)])
        one = np.ones((1, len(errors), 1, 1))
        weights, cost = fit_weights(errors[:, None], one, base[told, None, None], start)
        if cost < least:
            best, least = (factor, math.sqrt(float(weights[0]))), cost
    return best


def significances(sample: Sample) -> list[float]:
    """Of all places that were compared, the best first."""
    return sorted((significance for _, significance in sample.places), reverse=True)


def fit_tail(values: Sequence[float]) -> Tail:
    """How often wrong matches go beyond a value.

    The excess over a high quantile is taken as exponential (a Gumbel tail); noise falls faster, so this errs on the
    safe side.
    """
    wrong = np.asarray(values)
    start = float(np.quantile(wrong, 1 - TAIL_SHARE))
    beyond = wrong[wrong > start]
    return Tail(start, len(beyond) / len(wrong), float((beyond - start).mean()))


def near_share(samples: Sequence[Sample]) -> float:
    """Of frames as flown, the share whose best wrong place lies where a belief in the truth expects the match."""
    flown = [s for s in samples if s.kind == AS_FLOWN]
    best = [next((d for d, _ in s.places if d > RIGHT_M), math.inf) for s in flown]
    return (sum(d <= NEIGHBOURHOOD_M for d in best) + 1) / (len(flown) + 1)


def lost_share(samples: Sequence[Sample]) -> float:
    """The share of frames as flown in which another place than the right one matches best."""
    flown = sum(s.kind == AS_FLOWN for s in samples)
    return (flown - len(right(samples)) + 1) / (flown + 1)


def misaligned_share(samples: Sequence[Sample], candidates: int) -> float:
    """The share of frames as flown that are lost though the right tile is among the best."""
    flown = [s for s in samples if s.kind == AS_FLOWN]
    lost = [s for s in flown if math.hypot(*s.error_m) > RIGHT_M and s.tile_rank * s.tiles < candidates]
    return (len(lost) + 1) / (len(flown) + 1)


def fit_ranks(samples: Sequence[Sample]) -> tuple[float, ...]:
    """Quantiles of the share of a map's tiles that resemble the image more than the right one."""
    told = [s.tile_rank for s in samples if math.isfinite(s.tile_rank)]
    return tuple(round(float(q), RANK_DIGITS) for q in np.quantile(told or [0.0], np.linspace(0, 1, RANKS)))


def fit_temperature(samples: Sequence[Sample], outlier_share: float) -> float:
    """The temperature at which the true tiles are likeliest, some frames saying nothing."""
    flown = [s for s in samples if s.tile_share]
    if not flown:
        raise ConfigError("no frame as flown came to a match: nothing to fit the temperature to")
    shares, tiles = np.array([s.tile_share for s in flown]), np.array([s.tiles for s in flown])
    likelihood = np.log((1 - outlier_share) * shares + outlier_share / tiles[:, None]).mean(axis=0)
    return TEMPERATURES[int(likelihood.argmax())]
