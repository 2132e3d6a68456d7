"""The tile grid covers the map, whatever its size."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mift_ros.cache.grid import MetricBounds, metric_bounds, plan_grid
from mift_ros.errors import ConfigError, MapError
from mift_ros.geometry.frames import LocalFrame
from mift_ros.maps.source import GeoBounds


def test_a_grid_by_hand() -> None:
    """100 x 60 m, tiles of 32 m every 8 m: 10 columns reach 104 m, 5 rows reach 64 m, 2 m over on each side."""
    grid = plan_grid(MetricBounds(0, 0, 100, 60), 32.0, 8.0, 64, "map")
    assert (grid.rows, grid.cols, grid.stride_px, grid.gsd_m) == (5, 10, 16, 0.5)
    assert (grid.west_m, grid.north_m) == (-2.0, 62.0)
    cells = np.array([[0, 0], [4, 9]], np.int32)
    assert grid.centres_m(cells).tolist() == [[14.0, 46.0], [86.0, 14.0]]


@given(
    width=st.floats(73, 5000), height=st.floats(73, 5000), tile=st.floats(10, 72), strides=st.floats(1, 12),
    tile_px=st.sampled_from([64, 128, 224]),
)  # fmt: skip
def test_every_point_of_the_map_is_in_a_tile_and_near_a_centre(
    width: float, height: float, tile: float, strides: float, tile_px: int
) -> None:
    grid = plan_grid(MetricBounds(0, 0, width, height), tile, tile / strides, tile_px, "map")
    for start, length, count in ((grid.west_m, width, grid.cols), (height - grid.north_m, height, grid.rows)):
        reach = (count - 1) * grid.stride_m + grid.tile_size_m
        assert length - 1e-6 <= reach < length + grid.stride_m + 1e-6
        assert start <= 1e-6 and start + reach >= length - 1e-6
    assert math.isclose(grid.stride_m, tile / strides, abs_tol=grid.gsd_m)


@given(rows=st.floats(32, 900), cols=st.floats(32, 900), stride=st.floats(0.5, 32))
def test_blocks_cover_each_cell_once_and_stay_small(rows: float, cols: float, stride: float) -> None:
    grid = plan_grid(MetricBounds(0, 0, cols, rows), 32.0, stride, 64, "map")
    seen = np.zeros((grid.rows, grid.cols), int)
    for block in grid.blocks():
        seen[block.row : block.row_end, block.col : block.col_end] += 1
        assert max(grid.window(block)[2:]) <= 2048
    assert (seen == 1).all()


def test_metric_bounds_hold_the_bulge_of_a_parallel() -> None:
    """North of the equator a parallel bends towards the pole east and west of the frame's meridian."""
    frame = LocalFrame(60.0, 10.0)
    box = metric_bounds(GeoBounds(9.9, 59.95, 10.1, 60.05), frame)
    assert box.south == pytest.approx(frame.to_local(59.95, 10.0)[1], abs=1e-6)
    assert box.north == pytest.approx(frame.to_local(60.05, 10.1)[1], abs=1e-6)
    assert box.east == pytest.approx(frame.to_local(59.95, 10.1)[0], abs=1e-6)


def test_a_map_smaller_than_a_tile_is_refused() -> None:
    with pytest.raises(MapError, match=r"town\.tif: the map is 100\.0 x 60\.0 m, smaller than one tile of 72 m"):
        plan_grid(MetricBounds(0, 0, 100, 60), 72.0, 18.0, 128, "town.tif")


@pytest.mark.parametrize(("tile", "stride"), [(0, 1), (-5, 1), (math.nan, 1), (32, 0), (32, 33), (32, math.nan)])
def test_sizes_out_of_range_are_refused(tile: float, stride: float) -> None:
    with pytest.raises(ConfigError, match="must be positive"):
        plan_grid(MetricBounds(0, 0, 100, 60), tile, stride, 64, "map")
