"""Heights between the nodes of a grid, and nowhere else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mift_ros.geometry.terrain import Terrain

SMALL = Terrain(np.array([[10.0, 20.0], [30.0, np.nan]], np.float32), 0.0, 20.0, 10.0, "ellipsoid")


WHOLE = Terrain(np.array([[10.0, 20.0], [30.0, 80.0]], np.float32), 0.0, 20.0, 10.0, "ellipsoid")


def test_nodes_are_at_the_middles_of_pixels():
    assert WHOLE.at([[5.0, 15.0], [15.0, 15.0], [5.0, 5.0], [15.0, 5.0]]) == pytest.approx([10.0, 20.0, 30.0, 80.0])


def test_between_nodes_it_is_bilinear():
    assert WHOLE.at((10.0, 10.0)) == pytest.approx((10 + 20 + 30 + 80) / 4)
    assert WHOLE.at((7.5, 15.0)) == pytest.approx(12.5)


@pytest.mark.parametrize(
    "point", [(4.9, 15.0), (15.1, 15.0), (10.0, 15.1), (10.0, 10.0), (np.nan, 10.0), (np.inf, 10.0)]
)
def test_outside_and_beside_unknown_ground_nothing_is_known(point):
    assert np.isnan(SMALL.at(point))


@given(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.floats(-45, 45), st.floats(-45, 45))
def test_a_plane_is_met_exactly(east_slope, north_slope, east_m, north_m):
    middles = np.arange(-47.5, 50.0, 5.0)
    heights = 300.0 + east_slope * middles[None, :] + north_slope * middles[::-1, None]
    terrain = Terrain(heights.astype(np.float32), -50.0, 50.0, 5.0, "ellipsoid")
    assert terrain.at((east_m, north_m)) == pytest.approx(300.0 + east_slope * east_m + north_slope * north_m, abs=1e-3)
