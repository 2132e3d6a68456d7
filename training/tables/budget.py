"""A recipe cut down to a number of images, and all its lengths with it."""

from __future__ import annotations

from dataclasses import replace

from training.data.multiview.sampler import epoch_steps
from training.recipes.schema import Recipe

PUBLISHED_CLASSES = 701
"""Training classes of University-1652, which the lengths in the recipes are meant for."""


def fit(recipe: Recipe, images: int, classes: int) -> Recipe:
    """The recipe over `images` images (both views counted) of a set of `classes` training classes.

    Milestones, warm-up, the memory of the moving average and the start of hard negatives keep their places in the run.
    A batch holds at most all the classes of the set.
    """
    assert recipe.data.multiview is not None
    batch = replace(recipe.batch, classes=min(recipe.batch.classes, classes))
    steps = max(round(images / (2 * batch.classes * batch.per_class)), 1)
    epochs = steps / epoch_steps(classes, batch.classes)
    published_steps = recipe.epochs * epoch_steps(PUBLISHED_CLASSES, recipe.batch.classes)
    schedule, optimizer, multiview = recipe.schedule, recipe.optimizer, recipe.data.multiview
    return replace(
        recipe,
        epochs=0,
        steps=steps,
        batch=batch,
        schedule=replace(
            schedule,
            warmup_steps=round(schedule.warmup_steps * steps / published_steps),
            milestones=tuple(max(round(m * epochs / recipe.epochs), 1) for m in schedule.milestones),
        ),
        optimizer=replace(optimizer, ema_decay=_decay(optimizer.ema_decay, steps / published_steps)),
        data=replace(
            recipe.data,
            multiview=replace(
                multiview,
                hard_after_epochs=max(round(multiview.hard_after_epochs * epochs / recipe.epochs), 1),
                hard_every_epochs=max(round(multiview.hard_every_epochs * epochs / recipe.epochs), 1),
            ),
        ),
    )


def _decay(decay: float, ratio: float) -> float:
    """A moving average whose memory, 1 / (1 - decay) steps, is `ratio` times as long; 0 stays 0, no average."""
    return max(1.0 - (1.0 - decay) / ratio, 0.0) if decay else 0.0
