"""Which ground the evidence of a place comes from: ground that was seen before says nothing new, however often."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

LEAST = 1 / 16
"""Share of a view from which ground counts as new: less is the jitter of matches, or a vehicle that hovers."""
KEPT = 512
"""Places remembered: some 4 km of track with views of 144 m."""


class SeenGround:
    """Places of views, a share of a view apart. Views err alike as far as they show the same ground."""

    def __init__(self, view_m: float) -> None:
        """`view_m`: views this far apart show different ground."""
        self._view_m = view_m
        self._places_m: npt.NDArray[np.float64] = np.empty((0, 2))

    def news(self, position_m: tuple[float, float]) -> float:
        """Share in [0, 1] of the view about a place, east and north, that no view before it showed; counted once."""
        share = 1.0
        if len(self._places_m):
            share = min(float(np.hypot(*(self._places_m - position_m).T).min()) / self._view_m, 1.0)
        if share < LEAST:
            return 0.0
        self._places_m = np.vstack([self._places_m[-KEPT + 1 :], position_m])
        return share
