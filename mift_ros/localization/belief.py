"""Where the vehicle may be: a histogram filter over the cells of the tile grid.

A discrete Bayes filter (Thrun, Burgard, Fox, Probabilistic Robotics, ch. 4.1): the belief is moved by odometry or
widened by the motion model, then multiplied by the likelihood of the tile scores. Mass may also lie outside the map.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

Grid = npt.NDArray[np.float64]
ALL = slice(None)
ENTERING = 0.02
"""Share of the mass outside that enters the map per prediction, and of the inside that is redrawn (kidnapping)."""

LEAST_GAUSSIAN = 0.7
"""In cells. Sampled at whole cells, a Gaussian of 0.3 has no variance left: small steps would never add up."""


class Belief:
    """Probability per cell [rows, cols]; row 0 is the north edge. Call predict, then update, once per frame."""

    def __init__(self, west_m: float, north_m: float, rows: int, cols: int, stride_m: float, outside: float) -> None:
        self._first = np.array([west_m, north_m])
        self._stride_m = stride_m
        self._outside_at_start = outside
        self._shape = (rows, cols)
        self.reset()

    def reset(self) -> None:
        """Forget everything: the same probability for every cell."""
        self.outside = self._outside_at_start
        self.cells: Grid = np.full(self._shape, (1 - self.outside) / (self._shape[0] * self._shape[1]))
        # cell (r, c) stands for its centre plus this, so that small moves do not blur the grid
        self._offset = np.zeros(2)

    def centres_m(self, rows: npt.ArrayLike, cols: npt.ArrayLike) -> Grid:
        """East/north [..., 2] of cells in the map frame."""
        east = self._first[0] + np.asarray(cols, float) * self._stride_m
        north = self._first[1] - np.asarray(rows, float) * self._stride_m
        return np.asarray(np.stack([east, north], axis=-1) + self._offset)

    def predict(self, shift_enu_m: tuple[float, float], sigma_m: float) -> None:
        """Move the belief by a displacement with an isotropic error of one sigma."""
        self._offset = self._offset + np.asarray(shift_enu_m)
        cells = np.rint(self._offset / self._stride_m)
        self._offset -= cells * self._stride_m
        self.cells = _moved(self.cells, int(-cells[1]), int(cells[0]))
        kernel = kernel_of(min(sigma_m / self._stride_m, max(self._shape)))
        blurred = cv2.sepFilter2D(self.cells, cv2.CV_64F, kernel, kernel, borderType=cv2.BORDER_CONSTANT)
        self.cells = np.asarray(blurred, np.float64)
        inside = float(self.cells.sum())
        self.outside = max(1.0 - inside, 0.0) * (1 - ENTERING)
        uniform = (1 - self.outside - inside * (1 - ENTERING)) / self.cells.size
        self.cells = self.cells * (1 - ENTERING) + max(uniform, 0.0)

    def update(self, likelihood: npt.NDArray[np.float32], patch_offset_m: npt.ArrayLike, news: float = 1.0) -> None:
        """Multiply by the likelihood [rows, cols] of patches centred on the tiles, to the power of `news`.

        `patch_offset_m` is east/north from the vehicle to its patch's centre; the outside has the mean likelihood.
        `news` in [0, 1] is how much of the ground was not seen before.
        """
        if news < 1.0:
            likelihood = np.power(likelihood, np.float32(news))
        look = (self._offset + np.asarray(patch_offset_m, float)) / self._stride_m
        move = np.array([[1.0, 0.0, look[0]], [0.0, 1.0, -look[1]]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        floor = float(likelihood.min())
        size = (self._shape[1], self._shape[0])
        seen = cv2.warpAffine(likelihood, move, size, flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=(floor,))
        self.cells = self.cells * seen
        self.outside *= float(likelihood.mean())
        self._normalise()

    def sighted(self, east_m: float, north_m: float, factor: float) -> None:
        """Raise the cells about a place by up to a factor: a match was verified there, and it may be wrong."""
        rows, cols = self._near(east_m, north_m, 3 * self._stride_m)
        bell = self._bell(east_m, north_m, self._stride_m, rows, cols)
        self.cells[rows, cols] *= 1.0 + (factor - 1.0) * bell
        self._normalise()

    def concentrate(self, east_m: float, north_m: float, sigma_m: float) -> None:
        """Multiply by a Gaussian: the evidence of an independent position, such as a prior or an aligned match."""
        sigma = math.hypot(sigma_m, self._stride_m / 2)
        self.cells = self.cells * self._bell(east_m, north_m, sigma)
        total = float(self.cells.sum())
        self.cells, self.outside = self.cells / total if total > 0 else self.cells, 0.0
        if not total > 0:
            self.reset()

    def at(self, points_m: Grid) -> Grid:
        """Probability of the cell that each east/north point [N, 2] falls into; 0 outside the map."""
        cols, rows = np.rint((points_m - self._first - self._offset) / self._stride_m * (1, -1)).astype(int).T
        inside = (rows >= 0) & (rows < self._shape[0]) & (cols >= 0) & (cols < self._shape[1])
        found = np.zeros(len(points_m))
        found[inside] = self.cells[rows[inside], cols[inside]]
        return found

    def likeliest_m(self) -> tuple[float, float]:
        """East/north of the most probable cell's centre."""
        row, col = divmod(int(self.cells.argmax()), self._shape[1])
        east, north = self.centres_m(row, col)
        return float(east), float(north)

    def mass_within(self, east_m: float, north_m: float, radius_m: float) -> float:
        """Probability of being within a radius of a point, counting cells by their centres."""
        radius = max(radius_m, self._stride_m)
        rows, cols = self._near(east_m, north_m, radius)
        north, east = self._distances(east_m, north_m, rows, cols)
        return float(self.cells[rows, cols][north[:, None] ** 2 + east**2 <= radius**2].sum())

    def _near(self, east_m: float, north_m: float, radius_m: float) -> tuple[slice, slice]:
        """Rows and columns of all cells within a radius of a point, and some around them."""
        east, north = (np.array([east_m, north_m]) - self._first - self._offset) / self._stride_m
        reach = radius_m / self._stride_m + 1
        rows, cols = (max(math.floor(at - reach), 0) for at in (-north, east))
        return slice(rows, max(math.ceil(-north + reach) + 1, 0)), slice(cols, max(math.ceil(east + reach) + 1, 0))

    def _distances(self, east_m: float, north_m: float, rows: slice, cols: slice) -> tuple[Grid, Grid]:
        """North of a point, per row, and east of it, per column."""
        (first_east, first_north), (row_count, col_count) = self._first + self._offset, self._shape
        north = first_north - np.arange(row_count)[rows] * self._stride_m - north_m
        return north, first_east + np.arange(col_count)[cols] * self._stride_m - east_m

    def _bell(self, east_m: float, north_m: float, sigma_m: float, rows: slice = ALL, cols: slice = ALL) -> Grid:
        """A Gaussian about a point, 1 at its peak."""
        north, east = self._distances(east_m, north_m, rows, cols)
        return np.outer(np.exp(-0.5 * (north / sigma_m) ** 2), np.exp(-0.5 * (east / sigma_m) ** 2))

    def _normalise(self) -> None:
        total = float(self.cells.sum()) + self.outside
        self.cells, self.outside = self.cells / total, self.outside / total


def kernel_of(sigma: float) -> Grid:
    """Weights along one axis for an error of so many cells; of its very variance where a sampled Gaussian has less."""
    if sigma < LEAST_GAUSSIAN:
        return np.array([sigma**2 / 2, 1 - sigma**2, sigma**2 / 2])
    return np.asarray(cv2.getGaussianKernel(2 * math.ceil(3 * sigma) + 1, sigma), np.float64)


def _moved(cells: Grid, down: int, right: int) -> Grid:
    """Shift by whole cells; what leaves the grid is lost to the outside."""
    out = np.zeros_like(cells)
    rows, cols = cells.shape
    if abs(down) >= rows or abs(right) >= cols:
        return out
    to_rows, from_rows = slice(max(down, 0), rows + min(down, 0)), slice(max(-down, 0), rows - max(down, 0))
    to_cols, from_cols = slice(max(right, 0), cols + min(right, 0)), slice(max(-right, 0), cols - max(right, 0))
    out[to_rows, to_cols] = cells[from_rows, from_cols]
    return out
