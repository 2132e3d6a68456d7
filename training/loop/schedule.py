"""Learning rate as a pure function of the step: linear warm-up, then half a cosine to zero."""

from __future__ import annotations

import math

PROBE_STEPS = 8
"""Steps timed to plan a run by --minutes."""


def learning_rate(step: int, steps: int, warmup_steps: int, peak: float) -> float:
    """Rate of step 0 .. steps - 1."""
    warm = min((step + 1) / max(warmup_steps, 1), 1.0)
    progress = max(step - warmup_steps, 0) / max(steps - warmup_steps, 1)
    return peak * warm * 0.5 * (1.0 + math.cos(math.pi * min(progress, 1.0)))


def planned_steps(done: int, seconds_per_step: float, minutes_left: float) -> int:
    """Total steps so that the run ends in minutes_left."""
    return done + max(int(minutes_left * 60.0 / seconds_per_step), 1)
