"""Learning rate as a pure function of the step: warm-up, then milestones or half a cosine."""

from __future__ import annotations

import math

from training.recipes.schema import ScheduleSpec

PROBE_STEPS = 8
"""Steps timed to plan a run by --minutes."""


def rate_factor(spec: ScheduleSpec, step: int, steps: int, epoch_steps: int) -> float:
    """Part of the peak rate at step 0 .. steps - 1; epoch_steps: steps of an epoch, in which milestones count."""
    warm = min((step + 1) / max(spec.warmup_steps, 1), 1.0)
    if spec.milestones:
        passed = sum(step >= epoch * epoch_steps for epoch in spec.milestones)
        return warm * spec.factor**passed
    progress = max(step - spec.warmup_steps, 0) / max(steps - spec.warmup_steps, 1)
    return warm * 0.5 * (1.0 + math.cos(math.pi * min(progress, 1.0)))


def planned_steps(done: int, seconds_per_step: float, minutes_left: float) -> int:
    """Total steps so that the run ends in minutes_left."""
    return done + max(int(minutes_left * 60.0 / seconds_per_step), 1)
