"""A prior waits for the first frame that the map is searched for."""

from __future__ import annotations

from dataclasses import replace

from mift_ros.localization.telemetry import NS
from mift_ros.localization.types import Prior, Telemetry


class WaitingPrior:
    """Keeps a prior whose frame was refused before the search: one blurred image must not cost it."""

    def __init__(self) -> None:
        self._held: tuple[int, Prior] | None = None

    def joined(self, stamp_ns: int, telemetry: Telemetry) -> Telemetry:
        """The telemetry of a frame with the prior that waits, older by the time since, unless it brings its own."""
        if telemetry.prior is not None:
            self._held = stamp_ns, telemetry.prior
            return telemetry
        if self._held is None:
            return telemetry
        came_ns, prior = self._held
        older = replace(prior, age_s=prior.age_s + abs(stamp_ns - came_ns) / NS)
        return replace(telemetry, prior=older)

    def used(self) -> None:
        """It was searched with, or forgotten."""
        self._held = None
