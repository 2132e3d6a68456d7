"""What was put into made-up samples is found again, and judged on flights left out."""

import math
from dataclasses import replace

import numpy as np
import pytest

from mift_ros.calibration.components import fit_weights, squared_sigmas
from mift_ros.calibration.design import KNOWN, design_of, horizontal
from mift_ros.calibration.fit import (
    clear,
    fit,
    fit_errors,
    fit_temperature,
    lost_share,
    misaligned_share,
    right,
    width_of,
)
from mift_ros.calibration.proof import operating_curve, prove
from mift_ros.calibration.samples import AS_FLOWN, ELSEWHERE, TEMPERATURES, Sample, kept_samples
from mift_ros.errors import ConfigError
from mift_ros.localization.calibration import APPROXIMATE, Tail
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.covariance import ErrorModel, ErrorSources, covariance, height_sigma_m

TRUTH = ErrorModel(
    alignment=5.0, residual_m=0.8, parallax_m=0.0, attitude_rad=math.radians(0.8), heading=4.0,
    heading_floor_rad=math.radians(0.5), scale=4.0, scale_floor=0.01, pull=0.7, scale_share=1.0,
)  # fmt: skip


def sources_of(rng):
    return ErrorSources(
        sharpness=np.diag(rng.uniform(0.05, 0.4, 2)), heading_sharpness=float(rng.uniform(50, 200)),
        scale_sharpness=float(rng.uniform(50, 200)), drift_m=np.zeros((2, 2)), significance=float(rng.uniform(8, 16)),
        offset_m=(float(rng.normal(0, 8)), float(rng.normal(0, 8))), height_agl_m=float(rng.uniform(60, 200)),
        gsd_m=0.5, heading_reach_rad=0.14, scale_reach=0.1, pull_m=tuple(rng.normal(0, 1.2, 2).tolist()),
    )  # fmt: skip


def tilted(rng, tilt_deg):
    """The same of a view that is tilted by so much, towards anywhere."""
    sources = sources_of(rng)
    way_m, way = sources.height_agl_m * math.tan(math.radians(tilt_deg)), rng.uniform(0, 2 * math.pi)
    return replace(sources, offset_m=(way_m * math.cos(way), way_m * math.sin(way)))


def flown(rng, flight, stamp):
    """A right match that errs as TRUTH says, with a wrong place 100 m away."""
    sources = sources_of(rng)
    cov = covariance(sources, TRUTH, KNOWN)
    east, north, _, _, _, turn = rng.multivariate_normal(np.zeros(6), np.where(cov > 1e6, 0.0, cov))
    share = tuple(1.0 if t < 0.03 else 0.5 for t in TEMPERATURES)
    places = ((math.hypot(east, north), sources.significance), (100.0, 5.0))
    ratio = 1.0 + float(rng.normal(0, 0.02))
    return Sample(
        flight, AS_FLOWN, stamp, (east, north), math.degrees(turn), ratio, places, sources, share, 1000, 0.01
    )  # fmt: skip


def wrong(rng, flight, stamp):
    """A match on other ground that leads the next by an exponential of scale 0.5."""
    places = ((math.inf, 5.0 + float(rng.exponential(0.5))), (math.inf, 5.0))
    nan = math.nan
    return Sample(flight, ELSEWHERE, stamp, (nan, nan), nan, nan, places, sources_of(rng))


RIGHT = flown(np.random.default_rng(0), "flight", 0)


def wrong_of(samples):
    return [s for s in samples if s.kind != AS_FLOWN]


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(0)
    right = [flown(rng, f"flight{k % 10}", k) for k in range(400)]
    return right + [wrong(rng, "flight0", k) for k in range(400)]


def test_variances_of_a_known_sum_are_found():
    rng = np.random.default_rng(1)
    parts = np.stack([np.tile(np.eye(2), (2000, 1, 1)), rng.uniform(0, 4, 2000)[:, None, None] * np.diag([1.0, 0.0])])
    true = parts[0] * 1.5 + parts[1] * 0.7
    errors = np.linalg.cholesky(true) @ rng.standard_normal((2000, 2, 1))
    weights, _ = fit_weights(errors[..., 0], parts, np.zeros((2000, 2, 2)), np.ones(2))
    assert weights == pytest.approx([1.5, 0.7], rel=0.15)


def test_squared_sigmas_of_a_diagonal_are_by_hand():
    assert squared_sigmas(np.array([[3.0, 4.0]]), np.diag([9.0, 4.0])[None]) == pytest.approx([5.0])


def test_the_fitted_covariances_are_as_wide_as_the_true_ones(samples):
    rng = np.random.default_rng(2)
    sources = [s.sources for s in samples[:100]]
    model = fit_errors(right([flown(rng, "flight", k) for k in range(800)]))
    found, true = horizontal(sources, model), horizontal(sources, TRUTH)
    ratio = np.trace(found, axis1=1, axis2=2) / np.trace(true, axis1=1, axis2=2)
    assert np.median(ratio) == pytest.approx(1.0, abs=0.12)
    assert model.attitude_rad == pytest.approx(TRUTH.attitude_rad, rel=0.25)
    assert model.pull == pytest.approx(TRUTH.pull, rel=0.3)


def test_a_small_error_of_the_attitude_is_found_beside_large_ones_of_the_alignment():
    rng = np.random.default_rng(3)
    sources = [tilted(rng, 12.0) for _ in range(600)]
    design, nothing = design_of(sources), replace(TRUTH, heading_floor_rad=1e-6, scale_floor=1e-6)
    true = replace(nothing, alignment=9.0, residual_m=0.3, attitude_rad=math.radians(0.4), pull=0.0)
    spread = np.linalg.cholesky(np.stack([covariance(s, true, KNOWN) for s in sources])[:, [[0], [1], [5]], [0, 1, 5]])
    scale = [height_sigma_m(s, true) / s.height_agl_m for s in sources]
    found = []
    for _ in range(8):
        east, north, turn = (spread @ rng.standard_normal((len(sources), 3, 1)))[..., 0].T
        ratio = np.exp(scale * rng.standard_normal(len(sources)))
        good = [
            replace(RIGHT, sources=s, error_m=(e, n), heading_error_deg=math.degrees(t), height_ratio=r)
            for s, e, n, t, r in zip(sources, east, north, turn, ratio)
        ]
        found.append(math.degrees(fit_errors(good, design).attitude_rad))
    assert np.median(found) == pytest.approx(0.4, rel=0.15)
    assert min(found) > 0.15


def test_the_share_of_the_scales_error_that_moves_the_place_is_found():
    rng = np.random.default_rng(4)
    true = replace(TRUTH, scale_share=0.3, heading_floor_rad=0.0)
    good = []
    for _ in range(1000):
        sources = replace(sources_of(rng), drift_m=np.array([[0.0, 240.0], [0.0, -160.0]]))
        east, north = rng.multivariate_normal(np.zeros(2), covariance(sources, true, KNOWN)[:2, :2])
        ratio = math.exp(height_sigma_m(sources, true) / sources.height_agl_m * rng.standard_normal())
        good.append(replace(RIGHT, sources=sources, error_m=(east, north), heading_error_deg=0.0, height_ratio=ratio))
    assert fit_errors(good).scale_share == pytest.approx(0.3, rel=0.2)


@pytest.mark.parametrize("outliers", [0, 400])
def test_covariances_are_as_wide_as_the_errors_that_a_filter_takes_in(outliers):
    squared = (np.random.default_rng(5).normal(0.0, 1.7, (20000, 2)) ** 2).sum(axis=1)
    squared[:outliers] = 400.0
    assert width_of(squared) == pytest.approx(1.7, rel=0.03)


def test_a_place_that_is_near_by_chance_is_no_part_of_the_covariance(samples):
    leads, usual = Tail(0.0, 1.0, 0.5), 5.0
    least = leads.threshold(10)
    good = [s for s in right(samples) if s.places[0][1] - usual >= least]
    near = replace(good[0], error_m=(20.0, 0.0), places=((20.0, 8.0), (300.0, 7.9)))
    assert clear([*samples, near], leads, usual) == good


def test_held_out_flights_are_covered_as_a_gaussian_covers(samples):
    proof = prove(samples)
    assert proof.flights == 10
    assert proof.nees == pytest.approx(1.0, abs=0.15)
    assert proof.heading_nees == pytest.approx(1.0, abs=0.2)
    assert proof.within == pytest.approx((0.393, 0.865, 0.989), abs=0.08)


def test_the_tail_of_wrong_matches_is_found(samples):
    fitted = fit(samples, wrong_of(samples), LocalizerConfig())
    assert fitted.usual == pytest.approx(5.0 + 0.5 * math.log(2), abs=0.1)
    assert fitted.leads.scale == pytest.approx(0.5, rel=0.2)
    assert fitted.leads.threshold(1000) == pytest.approx(5.0 + 0.5 * math.log(1000) - fitted.usual, abs=0.5)
    # no wrong place was ever near the right one
    assert fitted.expected.rate == pytest.approx(fitted.leads.rate / 401)
    assert fitted.expected.scale == pytest.approx(0.5, rel=0.2)


def test_how_many_tiles_look_better_than_the_right_one_is_kept(samples):
    fitted = fit(samples, wrong_of(samples), LocalizerConfig())
    assert fitted.tiles == 1000
    assert set(fitted.ranks) == {0.01}


def test_the_share_of_lost_frames_is_counted_with_one_to_be_careful(samples):
    assert lost_share(samples) == pytest.approx(1 / 401)
    away = [replace(s, error_m=(100.0, 0.0)) if s.kind == AS_FLOWN and s.stamp_ns < 100 else s for s in samples]
    assert lost_share(away) == pytest.approx(101 / 401)
    # of 1000 tiles, 10 look better than the right one
    assert misaligned_share(away, 50) == pytest.approx(101 / 401)
    assert misaligned_share(away, 5) == pytest.approx(1 / 401)


def test_the_temperature_is_the_one_of_the_greatest_likelihood(samples):
    assert fit_temperature(samples, 0.2) < 0.03


def test_the_operating_curve_counts_what_each_threshold_gives(samples):
    curve = operating_curve(samples, wrong_of(samples), replace(APPROXIMATE, usual=5.0, leads=Tail(0.0, 1.0, 0.5)))
    assert curve.available[0] == 1.0
    assert curve.false_share[0] == 1.0
    assert (np.diff(curve.available) <= 0).all()
    assert (np.diff(curve.false_share) <= 0).all()
    at = int(np.searchsorted(curve.thresholds, 1.0))
    assert curve.false_share[at] == pytest.approx(math.exp(-2.0), abs=0.04)
    assert curve.available[at] == 1.0


def test_the_operating_curve_leaves_out_what_stands_out_too_little(samples):
    fitted = replace(APPROXIMATE, usual=5.0, leads=Tail(0.0, 1.0, 0.5), anywhere=Tail(12.0, 0.1, 0.5))
    curve = operating_curve(samples, wrong_of(samples), fitted)
    clear = [s.places[0][1] >= 12.0 for s in right(samples)]
    assert curve.available[0] == pytest.approx(np.mean(clear))


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (lambda s: [x for x in s if x.kind == ELSEWHERE], "right matches are too few"),
        (lambda s: [x for x in s if x.kind == AS_FLOWN], "wrong matches are too few"),
    ],
)
def test_too_little_to_fit_to_is_refused(samples, chosen, message):
    with pytest.raises(ConfigError, match=message):
        fit(chosen(samples), wrong_of(chosen(samples)), LocalizerConfig())


def test_one_flight_cannot_prove_itself(samples):
    with pytest.raises(ConfigError, match="at least two"):
        prove([replace(s, flight="only") for s in samples])


def test_samples_are_kept_for_the_next_time_unless_something_changed(tmp_path, samples):
    path = tmp_path / "kept" / "flight.jsonl"
    made = []

    def make():
        made.append(1)
        yield from ([s] for s in samples[:3])

    for origin in ("a", "a", "b"):
        found = [s for some in kept_samples(path, origin, make) for s in some]
        assert [s.stamp_ns for s in found] == [0, 1, 2]
        assert found[0].to_json() == samples[0].to_json()
    assert len(made) == 2


@pytest.mark.parametrize(
    "damage", [lambda text: b"", lambda text: text[:-40], lambda text: b"a\n[]\n", lambda _: b"\xff"]
)
def test_damaged_samples_are_told_and_made_again(tmp_path, samples, caplog, damage):
    path = tmp_path / "flight.jsonl"
    for _ in range(2):
        (found,) = kept_samples(path, "a", lambda: [samples[:3]])
        assert [s.stamp_ns for s in found] == [0, 1, 2]
        whole = path.read_bytes()
        path.write_bytes(damage(whole))
    assert [record.message.startswith(f"{path}: damaged (") for record in caplog.records] == [True]
