"""The published evaluation of a multi-view set: every retrieval task of its test split."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from training.data.multiview.dataset import ImageSet, Task
from training.data.multiview.layout import open_dataset
from training.evaluation.extract import Embedded, Encoder, NetworkEncoder, Progress, embed_sets
from training.evaluation.ranking import Ranking, rank_embeddings
from training.model.network import Network

DRONE_TO_SATELLITE = "drone->satellite"
SATELLITE_TO_DRONE = "satellite->drone"


@dataclass(frozen=True)
class TaskResult:
    """One task, such as drone->satellite, and how its queries ranked."""

    name: str
    ranking: Ranking


@dataclass(frozen=True)
class SplitResult:
    """All tasks of a test split; images_per_s includes decoding."""

    tasks: tuple[TaskResult, ...]
    images_per_s: float

    def recall_at(self, k: int, direction: str = DRONE_TO_SATELLITE) -> float:
        """Recall of a direction; mean over the heights where the set has several."""
        return float(np.mean([task.ranking.recall_at(k) for task in self._of(direction)]))

    def mean_ap(self, direction: str = DRONE_TO_SATELLITE) -> float:
        """Official average precision of a direction; mean over the heights where the set has several."""
        return float(np.mean([task.ranking.mean_ap_trapezoid for task in self._of(direction)]))

    def _of(self, direction: str) -> list[TaskResult]:
        return [task for task in self.tasks if task.name.startswith(direction)]


def evaluate_split(
    network: Network,
    root: Path,
    *,
    flip: bool = False,
    queries: int = 0,
    seed: int = 0,
    workers: int = 2,
    progress: Progress | None = None,
) -> SplitResult:
    """Evaluate a network on the test split under root, and leave it in the mode it was in.

    queries: most queries of a task, 0 for all; galleries are thinned to as many images, see `thinned`.
    """
    training = network.training
    try:
        tasks = thinned_tasks(open_dataset(root).tasks(), queries, seed)
        encoder = NetworkEncoder(network)
        return evaluate_tasks(embed_tasks(encoder, tasks, flip=flip, workers=workers, progress=progress), tasks)
    finally:
        network.train(training)


def embed_tasks(
    encoder: Encoder, tasks: tuple[Task, ...], *, flip: bool, workers: int = 2, progress: Progress | None = None
) -> Embedded:
    """Embed all files of the tasks, each once."""
    sets = [images for task in tasks for images in (task.queries, task.gallery)]
    return embed_sets(encoder, sets, flip=flip, workers=workers, progress=progress)


def evaluate_tasks(embedded: Embedded, tasks: tuple[Task, ...]) -> SplitResult:
    """Rank the gallery of each task."""
    results = [
        TaskResult(task.name, rank_embeddings(*embedded.of(task.queries), *embedded.of(task.gallery))) for task in tasks
    ]
    return SplitResult(tuple(results), embedded.images_per_s)


def thinned_tasks(tasks: tuple[Task, ...], most: int, seed: int) -> tuple[Task, ...]:
    """The tasks with at most so many queries and, but for one of each class, gallery images; 0 leaves them whole.

    A gallery of one satellite image per class stays whole. Figures over thinned drone galleries are not those of the
    protocol: they are for following a run.
    """
    if not most:
        return tasks
    return tuple(
        replace(
            task,
            queries=thinned(task.queries, most, seed),
            gallery=thinned(task.gallery, max(most, len(np.unique(task.gallery.labels))), seed),
        )
        for task in tasks
    )


def thinned(images: ImageSet, most: int, seed: int) -> ImageSet:
    """At most so many images, drawn so that the numbers per class differ by one at most; in their order."""
    if len(images) <= most:
        return images
    shuffled = np.random.default_rng(seed).permutation(len(images))
    grouped = shuffled[np.argsort(images.labels[shuffled], kind="stable")]
    _, counts = np.unique(images.labels, return_counts=True)
    turn = np.concatenate([np.arange(count) for count in counts])
    position = np.empty(len(images), np.int64)
    position[shuffled] = np.arange(len(images))
    kept = np.sort(grouped[np.lexsort((position[grouped], turn))[:most]])
    return ImageSet(tuple(images.files[row] for row in kept), images.labels[kept])
