"""The shape of a match: curvature, the vertex between probes, and how the place moves with heading."""

import math

import numpy as np
import pytest

from mift_ros.localization.peak import Line, Probe, no_line, peak_of, sharpness


def field(east_bend, north_bend, cross=0.0, gsd_m=0.5, side=31, at=(15, 15)):
    """1 - (e, n) H (e, n) / 2 about a pixel (row, column); rows run south."""
    rows, cols = np.indices((side, side))
    east, north = (cols - at[1]) * gsd_m, (at[0] - rows) * gsd_m
    return np.float32(1 - 0.5 * (east_bend * east**2 + north_bend * north**2 + 2 * cross * east * north))


def test_the_curvature_of_a_paraboloid_is_found_in_metres():
    found = sharpness(field(0.02, 0.005, cross=0.004), gsd_m=0.5)
    assert found == pytest.approx(np.array([[0.02, 0.004], [0.004, 0.005]]), rel=1e-3)


def test_it_is_relative_to_the_height_of_the_peak():
    assert sharpness(0.25 * field(0.02, 0.005), 0.5) == pytest.approx(np.diag([0.02, 0.005]), rel=1e-3, abs=1e-6)


def test_along_a_straight_road_there_is_none():
    found = sharpness(field(0.0, 0.01), 0.5)
    assert found[0, 0] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("at", [(0, 0), (0, 30), (30, 30), (15, 0)])
def test_a_peak_at_the_border_is_measured_beside_it(at):
    found = sharpness(field(0.01, 0.01, at=at), 0.5)
    assert (np.linalg.eigvalsh(found) >= 0).all()
    assert np.isfinite(found).all()


def test_where_the_score_rises_in_all_directions_nothing_is_sharp():
    assert sharpness(np.ones((1, 1), np.float32), 0.5) == pytest.approx(np.zeros((2, 2)))
    assert sharpness(field(-0.01, 0.01), 0.5)[0, 0] == pytest.approx(0.0, abs=1e-6)


def line(low, mid, high, step=2.0):
    return Line(Probe(-1.0, 0.0, low), Probe(0.0, 0.0, mid), Probe(3.0, 2.0, high), step)


def test_the_best_of_three_probes_is_the_vertex_of_their_parabola():
    # 1 - (x - 0.5)^2 / 10 at -2, 0, 2
    values = [1 - (x - 0.5) ** 2 / 10 for x in (-2.0, 0.0, 2.0)]
    assert line(*values).best == pytest.approx(0.5)
    assert line(*values).sharpness == pytest.approx(0.2 / values[1])


def test_where_there_is_no_vertex_between_the_probes_the_better_end_is_best():
    assert line(0.1, 0.2, 0.3).best == 2.0
    assert line(0.3, 0.1, 0.2).best == -2.0
    assert line(0.3, 0.1, 0.2).sharpness == 0.0


def test_the_drift_is_how_far_the_place_moves_per_unit():
    assert line(0.5, 0.6, 0.5).drift_m == pytest.approx([1.0, 0.5])
    assert line(0.5, 0.6, 0.5).in_radians().drift_m == pytest.approx([math.degrees(1.0), math.degrees(0.5)])


def test_what_is_not_searched_says_nothing():
    none = no_line(Probe(1.0, 2.0, 0.5))
    peak = peak_of(field(0.01, 0.01), 0.5, none, none)
    assert none.best == 0.0
    assert (peak.heading_sharpness, peak.scale_sharpness) == (0.0, 0.0)
    assert peak.drift_m == pytest.approx(np.zeros((2, 2)))
