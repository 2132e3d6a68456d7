"""Decide: is the best alignment the place, or is silence the better answer."""

from __future__ import annotations

from collections.abc import Sequence

from mift_ros.localization.belief import Belief
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.quality import Refusal
from mift_ros.localization.refine import SAME_PLACE_M, Alignment
from mift_ros.localization.types import Reason

NEIGHBOURHOOD_M = 2 * SAME_PLACE_M
"""The belief supports a match by its mass within this distance: two cells of the default grid on either side."""
SUPPORTED = 0.7
"""Share of the significance that is needed where the belief supports the match: chance has far fewer places to try."""
CONTRADICTION = 0.01
"""A match where the belief has less than this share of its mass contradicts it, however good it looks."""


def margin(alignments: Sequence[Alignment]) -> float:
    """Score of the best alignment over that of the best other place; 10 when there is no other of any likeness."""
    if len(alignments) < 2 or alignments[1].score <= 0:
        return 10.0
    return min(alignments[0].score / alignments[1].score, 10.0)


def refuse(
    alignments: Sequence[Alignment],
    significance: float,
    vehicle_m: tuple[float, float],
    belief: Belief,
    config: LocalizerConfig,
) -> Refusal | None:
    """None when the best alignment may be published as a fix with the vehicle at `vehicle_m`."""
    best, ratio = alignments[0], margin(alignments)
    support = belief.mass_within(*vehicle_m, NEIGHBOURHOOD_M)
    numbers = {"similarity": best.score, "significance": significance, "margin": ratio, "posterior": support}
    supported = support >= config.min_posterior
    needed = config.min_significance * (SUPPORTED if supported else 1.0)
    if significance < needed:
        detail = f"the best match stands out by {significance:.1f} sigma, {needed:.1f} are needed"
        return Refusal(Reason.LOW_SIMILARITY, detail, numbers)
    if supported:
        return None
    if ratio < config.min_margin:
        detail = f"the next best place scores nearly as well (margin {ratio:.2f}, belief {support:.0%})"
        return Refusal(Reason.AMBIGUOUS, detail, numbers)
    if support < CONTRADICTION:
        return Refusal(Reason.INCONSISTENT, f"the belief so far gives the match {support:.1%}", numbers)
    return None
