"""End to end over a town whose camera look is not its map look: metres, unknowns, reasons."""

import math
from dataclasses import replace

import numpy as np
import pytest

from mift_ros.errors import CacheError
from mift_ros.geometry.frames import rpy_from_quaternion, wrap_deg
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.localizer import Localizer
from mift_ros.localization.types import Fix, Frame, Prior, Reason, Rejection, Telemetry

PLACES = [(-60.0, 40.0, 30.0), (70.0, -50.0, 200.0), (0.0, 90.0, 275.0), (90.0, 90.0, 120.0), (-95.0, -80.0, 340.0)]


def locate(town, frame, telemetry, **values):
    return Localizer(town.cache, town.embedder, LocalizerConfig.from_mapping(values)).locate(frame, telemetry)


def errors_m(town, place, **values):
    """Errors of the fixes among single frames at all places."""
    results = [locate(town, *place(town, *p), **values) for p in PLACES]
    return [math.dist(r.position_m, p[:2]) for r, p in zip(results, PLACES) if isinstance(r, Fix)]


def exact(town, east_m, north_m, heading_deg):
    return town.shoot(east_m, north_m, heading_deg)


def tilted(town, east_m, north_m, heading_deg):
    return town.shoot(east_m, north_m, heading_deg, roll=0.15, pitch=-0.2)


def heading_off(town, east_m, north_m, heading_deg):
    frame, telemetry = town.shoot(east_m, north_m, heading_deg)
    return frame, replace(telemetry, heading_deg=(heading_deg + 7.0) % 360)


def height_off(town, east_m, north_m, heading_deg):
    frame, telemetry = town.shoot(east_m, north_m, heading_deg)
    return frame, replace(telemetry, height_agl_m=telemetry.height_agl_m * 1.08)


@pytest.mark.parametrize("case", [exact, tilted, heading_off, height_off])
def test_single_frames_are_fixed_to_metres_without_a_prior(town, case):
    errors = errors_m(town, case)
    assert len(errors) >= 4
    assert max(errors) < 12.0
    assert np.median(errors) < 5.0


def test_the_position_is_the_vehicles_not_the_image_centres(town):
    frame, telemetry = town.shoot(0.0, 0.0, 90.0, pitch=-0.3)
    fix = locate(town, frame, telemetry)
    assert isinstance(fix, Fix)
    looking_at = 100.0 * math.tan(0.3)
    assert math.hypot(*fix.position_m) < 10.0 < looking_at


def test_an_unknown_heading_is_found(town, unknown):
    fixes = []
    for place in PLACES:
        frame, telemetry = town.shoot(*place)
        fix = locate(town, frame, unknown(telemetry, "heading_deg"))
        if isinstance(fix, Fix):
            fixes.append(fix)
            assert math.dist(fix.position_m, place[:2]) < 12.0
            assert abs(wrap_deg(fix.heading_deg - place[2])) < 8.0
    assert len(fixes) >= 3


def test_an_unknown_height_is_found(town, unknown):
    frame, telemetry = town.shoot(*PLACES[0])
    bins = {"height_agl_min_m": 60.0, "height_agl_max_m": 160.0, "scale_bins": 5}
    fix = locate(town, frame, unknown(telemetry, "height_agl_m"), **bins)
    assert isinstance(fix, Fix)
    assert math.dist(fix.position_m, PLACES[0][:2]) < 12.0


def test_a_level_gimbal_needs_no_attitude(town, unknown):
    frame, telemetry = town.shoot(*PLACES[1])
    fix = locate(town, frame, unknown(telemetry, "roll_rad", "pitch_rad"), use_attitude=False)
    assert isinstance(fix, Fix)


def test_headings_every_20_degrees_find_what_every_10_degrees_find(town, unknown):
    """Headings midway between those that are tried: the refinement turns by the rest."""
    for east_m, north_m, heading_deg in [(-60.0, 40.0, 30.0), (70.0, -50.0, 210.0)]:
        frame, telemetry = town.shoot(east_m, north_m, heading_deg)
        few, many = (locate(town, frame, unknown(telemetry, "heading_deg"), yaw_bins=bins) for bins in (18, 36))
        assert isinstance(few, Fix)
        assert isinstance(many, Fix)
        assert math.dist(few.position_m, many.position_m) < 2.0
        assert few.significance == pytest.approx(many.significance, rel=0.05)


def test_every_field_of_a_fix_is_finite_or_says_that_it_is_unknown(town, unknown):
    frame, telemetry = town.shoot(*PLACES[0], stamp_s=12.5)
    fix = locate(town, frame, unknown(telemetry, "altitude_ellipsoid_m"))
    assert isinstance(fix, Fix)
    assert fix.stamp_ns == 12_500_000_000
    assert math.isnan(fix.altitude_ellipsoid_m)
    assert np.linalg.eigvalsh(fix.covariance).min() > 0
    assert fix.covariance[2, 2] > 0.99e8
    assert fix.covariance_calibrated
    assert fix.latency_s > 0
    yaw = rpy_from_quaternion(*fix.orientation_enu)[2]
    assert wrap_deg(90 - math.degrees(yaw) - fix.heading_deg) == pytest.approx(0, abs=1e-6)
    lat, lon = town.cache.frame.to_geodetic(fix.position_m)
    assert (fix.lat_deg, fix.lon_deg) == pytest.approx((lat, lon))
    from_true_north = town.cache.frame.true_heading_deg(fix.match.places[0].heading_deg, lat, lon)
    assert fix.heading_deg == pytest.approx(from_true_north, abs=1e-9)


def changed(frame, image):
    return Frame(frame.stamp_ns, image, frame.camera)


REFUSALS = [
    ("black", lambda f, t: (changed(f, np.zeros_like(f.image)), t), Reason.TEXTURELESS),
    ("flat", lambda f, t: (changed(f, np.full_like(f.image, 128)), t), Reason.TEXTURELESS),
    ("wrong size", lambda f, t: (changed(f, f.image[:-1]), t), Reason.BAD_IMAGE),
    ("no attitude", lambda f, t: (f, replace(t, roll_rad=math.nan)), Reason.NO_TELEMETRY),
    ("height zero", lambda f, t: (f, replace(t, height_agl_m=0.0)), Reason.NO_TELEMETRY),
    ("height infinite", lambda f, t: (f, replace(t, height_agl_m=math.inf)), Reason.NO_TELEMETRY),
    ("on its side", lambda f, t: (f, replace(t, roll_rad=1.2)), Reason.OBLIQUE),
    ("too low", lambda f, t: (f, replace(t, height_agl_m=10.0)), Reason.SMALL_FOOTPRINT),
    ("prior elsewhere", lambda f, t: (f, replace(t, prior=Prior(0.0, 0.0, 100.0))), Reason.OUT_OF_MAP),
]


@pytest.mark.parametrize(("change", "reason"), [case[1:] for case in REFUSALS], ids=[case[0] for case in REFUSALS])
def test_what_cannot_be_localised_is_refused_with_its_reason(town, change, reason):
    result = locate(town, *change(*town.shoot(*PLACES[0])))
    assert isinstance(result, Rejection)
    assert result.reason is reason
    assert result.detail


def test_another_town_is_never_taken_for_this_one(elsewhere):
    for east, north, heading_deg in [(e, n, 7.0 * e + n) for e in (-90.0, 0.0, 90.0) for n in (-90.0, 0.0, 90.0)]:
        result = locate(elsewhere, *elsewhere.shoot(east, north, heading_deg))
        assert isinstance(result, Rejection)
        assert result.reason in (Reason.LOW_SIMILARITY, Reason.AMBIGUOUS, Reason.INCONSISTENT)


def test_the_same_wrong_view_again_and_again_convinces_nobody(elsewhere):
    localizer = Localizer(elsewhere.cache, elsewhere.embedder)
    frame, telemetry = elsewhere.shoot(0.0, 0.0, 0.0)
    for second in range(6):
        result = localizer.locate(replace(frame, stamp_ns=(1 + second) * 10**9), telemetry)
        assert isinstance(result, Rejection)


def test_time_that_stands_still_or_goes_back_is_stale(town):
    localizer = Localizer(town.cache, town.embedder)
    frame, telemetry = town.shoot(*PLACES[0], stamp_s=5.0)
    assert isinstance(localizer.locate(frame, telemetry), Fix)
    for stamp_ns in (frame.stamp_ns, frame.stamp_ns - 1):
        late = localizer.locate(replace(frame, stamp_ns=stamp_ns), telemetry)
        assert isinstance(late, Rejection)
        assert late.reason is Reason.STALE


def test_after_a_long_step_back_in_time_the_flight_starts_again(town):
    localizer = Localizer(town.cache, town.embedder)
    frame, telemetry = town.shoot(*PLACES[0], stamp_s=5000.0)
    assert isinstance(localizer.locate(frame, telemetry), Fix)
    assert isinstance(localizer.locate(*town.shoot(*PLACES[2], stamp_s=1.0)), Fix)


def test_a_prior_limits_the_search_to_its_surroundings(town):
    frame, telemetry = town.shoot(*PLACES[0])
    lat, lon = town.cache.frame.to_geodetic(PLACES[0][:2])
    near = locate(town, frame, replace(telemetry, prior=Prior(float(lat), float(lon), 20.0)))
    assert isinstance(near, Fix)
    lat, lon = town.cache.frame.to_geodetic((PLACES[0][0] + 150.0, PLACES[0][1]))
    far = locate(town, frame, replace(telemetry, prior=Prior(float(lat), float(lon), 5.0)))
    assert isinstance(far, Rejection)
    older = locate(town, frame, replace(telemetry, prior=Prior(float(lat), float(lon), 5.0, age_s=8.0)))
    assert isinstance(older, Fix)
    too_old = replace(telemetry, prior=Prior(0.0, 0.0, 5.0, age_s=LocalizerConfig().lost_after_s + 1.0))
    assert isinstance(locate(town, frame, too_old), Fix)


def test_a_prior_that_came_with_a_refused_frame_waits_for_the_next_until_the_map_was_searched_with_it(town):
    localizer = Localizer(town.cache, town.embedder)
    frame, telemetry = town.shoot(*PLACES[0], stamp_s=1.0)
    elsewhere = replace(telemetry, prior=Prior(0.0, 0.0, 100.0))
    black = changed(frame, np.zeros_like(frame.image))
    assert localizer.locate(black, elsewhere).reason is Reason.TEXTURELESS
    assert localizer.locate(*town.shoot(*PLACES[0], stamp_s=2.0)).reason is Reason.OUT_OF_MAP
    assert isinstance(localizer.locate(*town.shoot(*PLACES[0], stamp_s=3.0)), Fix)

    localizer.reset()
    assert isinstance(localizer.locate(black, elsewhere), Rejection)
    late_s = 2.0 + LocalizerConfig().lost_after_s
    assert isinstance(localizer.locate(*town.shoot(*PLACES[0], stamp_s=late_s)), Fix)


def test_a_flight_is_followed_and_a_reset_forgets_it(town):
    localizer = Localizer(town.cache, town.embedder)
    for step in range(4):
        place = (-60.0 + 15.0 * step, 40.0, 90.0)
        frame, telemetry = town.shoot(*place, stamp_s=1.0 + step)
        fix = localizer.locate(frame, replace(telemetry, odometry_enu_m=place[:2]))
        assert isinstance(fix, Fix)
        assert math.dist(fix.position_m, place[:2]) < 12.0
    localizer.reset()
    assert isinstance(localizer.locate(*town.shoot(*PLACES[1], stamp_s=1.0)), Fix)


def test_jumping_telemetry_never_raises(town):
    localizer = Localizer(town.cache, town.embedder)
    frame, _ = town.shoot(*PLACES[0])
    wild = [math.nan, math.inf, -1e9, 1e9]
    for k, value in enumerate(wild):
        telemetry = Telemetry(0.0, 0.0, value, 100.0, value, (value, value))
        result = localizer.locate(replace(frame, stamp_ns=k + 1), telemetry)
        assert isinstance(result, (Fix, Rejection))


def test_a_cache_of_another_model_is_refused(town, tiny, tiny_model_path):
    from mift_ros.inference.load import load_embedder

    with pytest.raises(CacheError, match="mift_nano"):
        Localizer(town.cache, load_embedder(str(tiny_model_path)))
