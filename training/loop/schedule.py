"""Learning rate as a pure function of the step: warm-up, then milestones or half a cosine; length of a run by time."""

from __future__ import annotations

import math
import time

from training.recipes.schema import ScheduleSpec

WARM_STEPS = 2
"""Steps before those that are timed to plan a run by --minutes: workers, memory and kernels get ready in them."""
PROBE_STEPS = 6
"""Fewest steps that are timed."""


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


class Probe:
    """Times steps of a run to plan its length by --minutes, which begin now."""

    def __init__(self, minutes: float | None, done: int, workers: int) -> None:
        """minutes: None leaves the plan as it is; done: steps before this run.

        Each worker begins with a batch of its own, so batches come in bursts of as many: whole bursts are timed.
        """
        self._end_s = None if minutes is None else time.monotonic() + 60.0 * minutes
        self._first = done + WARM_STEPS
        self._last = self._first + math.ceil(PROBE_STEPS / max(workers, 1)) * max(workers, 1)
        self._began_s = 0.0

    def steps(self, done: int, planned: int) -> int:
        """Steps of the whole run, so many being planned, right after so many are done; to be asked after each step."""
        now_s = time.monotonic()
        if done == self._first:
            self._began_s = now_s
        if self._end_s is None or done != self._last:
            return planned
        return planned_steps(done, (now_s - self._began_s) / (done - self._first), (self._end_s - now_s) / 60.0)
