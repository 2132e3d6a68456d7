"""What a recipe trains on and is evaluated on, of either kind of data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mift_ros.errors import TrainingError
from mift_ros.threads import processors
from training.data.batch import BatchSource, Share
from training.model.network import Network
from training.recipes.data_schema import OrthophotosSpec
from training.recipes.schema import Recipe

Evaluation = Callable[[Network], dict[str, float]]
"""Retrieval by a network: recall_1 and recall_5 of drone queries, and more where the data give more; 0 to 1."""


@dataclass(frozen=True)
class TrainingData:
    """Batches of this process's rows, and the evaluation; None where nothing is kept for it."""

    source: BatchSource
    evaluation: Evaluation | None


def open_training_data(recipe: Recipe, root: Path, size: int, share: Share) -> TrainingData:
    """The recipe's data under root; size: input side of the network.

    Raises TrainingError when the data cannot be used, or the batch cannot be divided among processes and passes.
    """
    parts = share.world * share.passes
    if recipe.batch.classes % parts:
        raise TrainingError(
            f"batch.classes: {recipe.batch.classes} cannot be divided into {parts} parts, one of each process and "
            f"backward pass; take a multiple of {parts}"
        )
    if recipe.data.orthophotos is not None:
        return _orthophotos(recipe, recipe.data.orthophotos, root, size, share)
    return _multiview(recipe, root, size, share)


def _orthophotos(recipe: Recipe, spec: OrthophotosSpec, root: Path, size: int, share: Share) -> TrainingData:
    from training.data.orthophotos.batches import OrthophotoBatches, held_out_pairs, held_out_rendered
    from training.data.orthophotos.imagery import load_imagery
    from training.data.pairs.ground import load_worlds
    from training.evaluation.held_out import evaluate_pairs

    images = load_imagery(root, spec.sources, spec.views.finest_gsd_m)
    worlds = load_worlds(root, spec.sources)
    source = OrthophotoBatches([*images, *worlds], recipe, size, share)
    kept = {"": held_out_pairs(images, recipe, size), "rendered_": held_out_rendered(worlds, recipe, size)}
    kept = {kind: pairs for kind, pairs in kept.items() if len(pairs[0]) > 1}

    def evaluate(network: Network) -> dict[str, float]:
        found = {kind: evaluate_pairs(network, gallery, queries) for kind, (gallery, queries) in kept.items()}
        return {f"{kind}recall_{k}": found[kind].recall_at(k) for kind in found for k in (1, 5)}

    return TrainingData(source, evaluate if "" in kept else None)


def _multiview(recipe: Recipe, root: Path, size: int, share: Share) -> TrainingData:
    from training.data.multiview.batches import MultiviewBatches
    from training.evaluation.protocol import SATELLITE_TO_DRONE, evaluate_split

    spec = recipe.evaluation

    def evaluate(network: Network) -> dict[str, float]:
        result = evaluate_split(
            network, root, flip=spec.flip, queries=spec.queries, seed=spec.seed, workers=processors()
        )
        return {
            "recall_1": result.recall_at(1),
            "recall_5": result.recall_at(5),
            "ap": result.mean_ap(),
            "satellite_recall_1": result.recall_at(1, SATELLITE_TO_DRONE),
            "satellite_ap": result.mean_ap(SATELLITE_TO_DRONE),
        }

    return TrainingData(MultiviewBatches(root, recipe, size, share), evaluate)


def planned_by(recipe: Recipe, source: BatchSource) -> int:
    """Steps of the whole run."""
    return recipe.steps or recipe.epochs * source.epoch_steps
