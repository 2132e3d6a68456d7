"""Local metres against pyproj's geodesics, and the angle conventions by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod, Proj

from mift_ros.errors import GeometryError
from mift_ros.geometry.frames import (
    LocalFrame,
    heading_from_yaw,
    quaternion_from_rpy,
    rotation_from_rpy,
    rpy_from_quaternion,
    wrap_deg,
    yaw_from_heading,
)

GEOD = Geod(ellps="WGS84")
latitudes = st.floats(-80, 80)
longitudes = st.floats(-179, 179)
angles = st.floats(-math.pi, math.pi)


@given(latitudes, longitudes, st.floats(0, 360), st.floats(1, 5000))
def test_distances_and_bearings_from_the_origin_are_the_geodesic_ones(lat, lon, bearing_deg, distance_m):
    lon2, lat2, _ = GEOD.fwd(lon, lat, bearing_deg, distance_m)
    east, north = LocalFrame(lat, lon).to_local(lat2, lon2)
    assert math.hypot(east, north) == pytest.approx(distance_m, rel=1e-6, abs=1e-3)
    assert abs(wrap_deg(math.degrees(math.atan2(east, north)) - bearing_deg)) < 0.3


@given(latitudes, longitudes, st.floats(-20000, 20000), st.floats(-20000, 20000))
def test_to_geodetic_undoes_to_local(lat, lon, east_m, north_m):
    frame = LocalFrame(lat, lon)
    back = frame.to_local(*frame.to_geodetic((east_m, north_m)))
    assert back == pytest.approx((east_m, north_m), abs=1e-4)


@given(st.floats(-75, 75), longitudes, st.floats(-30000, 30000), st.floats(-30000, 30000), st.floats(0, 359))
def test_true_headings_differ_from_the_frames_by_the_convergence(lat, lon, east_m, north_m, heading_deg):
    frame = LocalFrame(lat, lon)
    lat2, lon2 = frame.to_geodetic((east_m, north_m))
    turned = frame.true_heading_deg(heading_deg, lat2, lon2) - heading_deg
    # clockwise from true north to that of the grid
    assert wrap_deg(turned) == pytest.approx(Proj(frame.crs).get_factors(lon2, lat2).meridian_convergence, abs=1e-4)


def test_points_come_in_arrays():
    frame = LocalFrame(48.0, 11.0)
    points = frame.to_local([48.0, 48.001], [11.0, 11.0])
    assert points.shape == (2, 2)
    assert points[0] == pytest.approx((0, 0), abs=1e-6)
    assert points[1] == pytest.approx((0, 111.2), abs=0.1)


@pytest.mark.parametrize(("lat", "lon"), [(90.0, 0.0), (math.nan, 0.0), (0.0, 181.0)])
def test_no_frame_at_a_pole_or_nowhere(lat, lon):
    with pytest.raises(GeometryError, match="no local frame"):
        LocalFrame(lat, lon)


@pytest.mark.parametrize(("heading_deg", "yaw_rad"), [(0, math.pi / 2), (90, 0), (180, -math.pi / 2), (270, -math.pi)])
def test_heading_is_clockwise_from_north_and_yaw_counter_clockwise_from_east(heading_deg, yaw_rad):
    assert yaw_from_heading(heading_deg) == pytest.approx(yaw_rad)
    assert heading_from_yaw(yaw_rad) == pytest.approx(heading_deg)


def test_a_nose_down_pitch_points_the_nose_down_and_a_right_roll_lowers_the_right_wing():
    nose, left = np.array([1.0, 0, 0]), np.array([0, 1.0, 0])
    assert (rotation_from_rpy(0, 0.1, 0) @ nose)[2] == pytest.approx(-math.sin(0.1))
    assert (rotation_from_rpy(0.1, 0, 0) @ left)[2] == pytest.approx(math.sin(0.1))


@given(angles, st.floats(-1.5, 1.5), angles, st.floats(0.1, 10))
def test_quaternions_of_any_norm_give_their_rotation_back(roll, pitch, yaw, norm):
    q = [norm * v for v in quaternion_from_rpy(roll, pitch, yaw)]
    assert np.allclose(rotation_from_rpy(*rpy_from_quaternion(*q)), rotation_from_rpy(roll, pitch, yaw), atol=1e-6)


@pytest.mark.parametrize("q", [(math.nan, 0, 0, 1), (0, 0, 0, 0), (math.inf, 0, 0, 1)])
def test_a_quaternion_that_is_no_rotation_is_refused(q):
    with pytest.raises(GeometryError, match="not a rotation"):
        rpy_from_quaternion(*q)
