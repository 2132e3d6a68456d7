"""Decide: is the best alignment the place, or is silence the better answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.places import SAME_PLACE_M
from mift_ros.localization.quality import Refusal
from mift_ros.localization.types import Reason

NEIGHBOURHOOD_M = 2 * SAME_PLACE_M
"""The belief speaks for a match by its mass within this distance."""
AGREEING = 0.8
"""Share of the significance needed where the belief expects the match, when all matches so far speak for the place."""
LEAST_PROBABLE = 2 / 3
"""A match that nothing supports must be twice as probable as all else together: where the other places look no better
than chance it is so at the threshold of one in 1000 (0.78), where one of them looks good too it is not."""
CONTRADICTION = 0.01
"""A match where the belief, this frame included, has a smaller share of its mass contradicts it."""


class Evidence(NamedTuple):
    """The numbers that decide.

    `significance` is by how many sigma the match stands out from random places, `lead` by how many from the next best
    place. `expected` is the probability of the place by all matches before the frame, `mode` the same after it;
    `posterior` is the belief's share, after the frame, within NEIGHBOURHOOD_M.
    """

    similarity: float
    significance: float
    lead: float
    expected: float
    posterior: float
    mode: float


def lead(significances: Sequence[float], usual: float) -> float:
    """By how much the first place stands out more than the best other one, and than a wrong one usually does.

    What a wrong match reaches grows with the map and with how alike its ground is; the best of the other places shows
    it in the frame itself. `usual` is for where there are few of them.
    """
    return significances[0] - max([usual, *significances[1:]])


def refuse(evidence: Evidence, config: LocalizerConfig) -> Refusal | None:
    """None when the match may be published as a fix."""
    numbers = evidence._asdict()
    expected = evidence.expected >= config.min_posterior
    sure = evidence.mode >= 1.0 - 1.0 / config.false_fix_one_in
    if sure and evidence.significance >= AGREEING * config.min_significance_expected:
        return None
    needed = config.min_significance_expected if expected else config.min_significance
    if evidence.significance < needed:
        detail = f"the best match stands out by {evidence.significance:.1f} sigma, {needed:.1f} are needed"
        return Refusal(Reason.LOW_SIMILARITY, detail, numbers)
    if expected:
        return None
    if evidence.lead < config.min_lead:
        detail = f"the match leads the next best place by {evidence.lead:.1f} sigma, {config.min_lead:.1f} are needed"
        return Refusal(Reason.AMBIGUOUS, detail, numbers)
    if evidence.mode < LEAST_PROBABLE:
        detail = (
            f"all places together leave the match a probability of {evidence.mode:.0%}, {LEAST_PROBABLE:.0%} is needed"
        )
        return Refusal(Reason.AMBIGUOUS, detail, numbers)
    if evidence.posterior < CONTRADICTION:
        return Refusal(Reason.INCONSISTENT, f"the belief gives the match {evidence.posterior:.1%}", numbers)
    return None
