"""What must hold among the values of a recipe, and what is said where it does not."""

from __future__ import annotations

from training.recipes.data_schema import MultiviewSpec, OrthophotosSpec
from training.recipes.schema import BatchSpec, LossSpec, OptimizerSpec, Recipe, ScheduleSpec

Rules = tuple[tuple[bool, str], ...]
"""Whether each holds, and the message naming the key."""


def rules(recipe: Recipe) -> Rules:
    """All rules of a recipe."""
    data = recipe.data
    return (
        ((data.orthophotos is None) != (data.multiview is None), "data: give orthophotos or multiview"),
        ((recipe.steps > 0) != (recipe.epochs > 0), "give steps or epochs"),
        (data.multiview is not None or recipe.steps > 0, "epochs: orthophotos have none, give steps"),
        (
            data.multiview is not None or not recipe.schedule.milestones,
            "schedule.milestones: orthophotos have no epochs",
        ),
        (data.multiview is not None or recipe.loss.identity == 0, "loss.identity: orthophotos have no classes"),
        (recipe.precision in ("float32", "bfloat16"), "precision: float32 or bfloat16"),
        (recipe.evaluation.places >= 2, "evaluation.places: at least 2"),
        (recipe.evaluation.every_steps >= 1, "evaluation.every_steps: at least 1"),
        *_loss_rules(recipe.loss),
        *_batch_rules(recipe.batch, recipe.loss),
        *_optimizer_rules(recipe.optimizer),
        *_schedule_rules(recipe.schedule),
        *(_orthophoto_rules(data.orthophotos) if data.orthophotos else ()),
        *(_multiview_rules(data.multiview) if data.multiview else ()),
    )


def _loss_rules(loss: LossSpec) -> Rules:
    weights = (loss.triplet, loss.identity, loss.infonce, loss.branch_weight)
    return (
        (max(weights[:3]) > 0, "loss: give one of triplet, identity, infonce a weight"),
        (min(weights) >= 0, "loss: a weight is not negative"),
        (loss.margin >= 0, "loss.margin: not negative"),
        (0 <= loss.label_smoothing < 1, "loss.label_smoothing: from 0 to below 1"),
    )


def _batch_rules(batch: BatchSpec, loss: LossSpec) -> Rules:
    return (
        (batch.classes >= 2, "batch.classes: at least 2, a loss needs negatives"),
        (batch.per_class >= 1, "batch.per_class: at least 1"),
        (loss.infonce == 0 or batch.per_class == 1, "batch.per_class: 1 with infonce, whose rows are distinct"),
        (1 <= batch.accumulate <= batch.classes // 2, "batch.accumulate: at least 2 classes a backward pass"),
        (batch.accumulate < 1 or batch.classes % batch.accumulate == 0, "batch.accumulate: divides batch.classes"),
    )


def _optimizer_rules(optimizer: OptimizerSpec) -> Rules:
    return (
        (optimizer.learning_rate > 0, "optimizer.learning_rate: above 0"),
        (optimizer.backbone_learning_rate >= 0, "optimizer.backbone_learning_rate: not negative"),
        (0 <= optimizer.momentum < 1, "optimizer.momentum: from 0 to below 1"),
        (optimizer.weight_decay >= 0, "optimizer.weight_decay: not negative"),
        (optimizer.clip_norm >= 0, "optimizer.clip_norm: not negative"),
        (0 <= optimizer.ema_decay < 1, "optimizer.ema_decay: from 0 to below 1"),
    )


def _schedule_rules(schedule: ScheduleSpec) -> Rules:
    return (
        (schedule.warmup_steps >= 0, "schedule.warmup_steps: not negative"),
        (all(epoch > 0 for epoch in schedule.milestones), "schedule.milestones: epochs above 0"),
        (0 < schedule.factor <= 1, "schedule.factor: above 0, at most 1"),
    )


def _orthophoto_rules(data: OrthophotosSpec) -> Rules:
    views = data.views
    return (
        (bool(data.sources), "data.orthophotos.sources: give at least one"),
        (
            all(bool(source.images) != bool(source.pairs) for source in data.sources),
            "data.orthophotos.sources: give each images or pairs",
        ),
        (all(source.share >= 0 for source in data.sources), "data.orthophotos.sources: a share is not negative"),
        (
            all(0 <= factor <= 1 for source in data.sources for factor in (source.appearance, source.geometry)),
            "data.orthophotos.sources: appearance and geometry are factors from 0 to 1",
        ),
        (0 < views.side_m[0] <= views.side_m[1], "data.orthophotos.views.side_m: 0 < smallest <= largest"),
        (views.finest_gsd_m > 0, "data.orthophotos.views.finest_gsd_m: above 0"),
        (0 <= views.gentle_start <= 1, "data.orthophotos.views.gentle_start: from 0 to 1"),
    )


def _multiview_rules(data: MultiviewSpec) -> Rules:
    augment = data.augment
    shares = (augment.flip, augment.flip_together, augment.colour, augment.focus, augment.jpeg, augment.dropout)
    return (
        (all(0 <= share <= 1 for share in shares), "data.multiview.augment: probabilities are from 0 to 1"),
        (0 <= augment.crop < 1 and 0 <= augment.satellite_shift < 1, "data.multiview.augment: shares below 1"),
        (0 <= data.hard_share <= 1, "data.multiview.hard_share: from 0 to 1"),
        (data.neighbours >= 1, "data.multiview.neighbours: at least 1"),
        (data.hard_after_epochs >= 1, "data.multiview.hard_after_epochs: at least 1"),
        (data.hard_every_epochs >= 1, "data.multiview.hard_every_epochs: at least 1"),
    )
