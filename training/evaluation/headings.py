"""How much recall depends on the heading: queries turned step by step against a gallery that is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from training.data.multiview.dataset import Task
from training.data.multiview.images import Pixels, load_images
from training.evaluation.extract import BATCH, Encoder, Progress, embed_images, embed_sets
from training.evaluation.figures import new_figure, save_figure
from training.evaluation.ranking import Ranking, rank_embeddings

FULL_TURN_DEG = 360


@dataclass(frozen=True)
class Heading:
    """Queries turned clockwise by so much, and how they ranked."""

    turn_deg: int
    ranking: Ranking


def sweep(
    encoder: Encoder,
    task: Task,
    step_deg: int,
    *,
    flip: bool = False,
    workers: int = 2,
    progress: Progress | None = None,
) -> tuple[Heading, ...]:
    """Rank the task with its queries turned by 0, step, ... below 360 degrees; progress counts decoded queries."""
    gallery, gallery_labels = embed_sets(encoder, [task.gallery], flip=flip, workers=workers).of(task.gallery)
    turns = range(0, FULL_TURN_DEG, step_deg)
    embeddings: dict[int, list[Tensor]] = {turn: [] for turn in turns}
    done = 0
    for batch in load_images(task.queries.files, encoder.size, BATCH, workers):
        for turn in turns:
            embeddings[turn].append(embed_images(encoder, turned(batch, turn), flip))
        done += len(batch)
        if progress:
            progress(done, len(task.queries))
    labels = torch.from_numpy(task.queries.labels).to(gallery.device)
    ranked = {turn: rank_embeddings(torch.cat(embeddings[turn]), labels, gallery, gallery_labels) for turn in turns}
    return tuple(Heading(turn, ranking) for turn, ranking in ranked.items())


def turned(images: Pixels, clockwise_deg: int) -> Pixels:
    """Images [B, S, S, 3] turned about their centres; corners that come in are filled by mirroring at the edges."""
    quarters, rest = divmod(clockwise_deg, 90)
    if not rest:
        return np.ascontiguousarray(np.rot90(images, -quarters, axes=(1, 2)))
    side = images.shape[1]
    centre = (side - 1) / 2
    matrix = cv2.getRotationMatrix2D((centre, centre), -clockwise_deg, 1.0)
    return np.stack(
        [
            np.asarray(cv2.warpAffine(image, matrix, (side, side), borderMode=cv2.BORDER_REFLECT_101), np.uint8)
            for image in images
        ]
    )


def plot_headings(headings: Sequence[Heading], path: Path, title: str) -> None:
    """R@1 and R@5 over the turn as PNG."""
    figure = new_figure(7.0, 4.0)
    axes = figure.subplots()
    # The curve is closed: a turn of 360 degrees is none.
    turns = [heading.turn_deg for heading in headings] + [FULL_TURN_DEG]
    for k in (1, 5):
        recalls = [100.0 * heading.ranking.recall_at(k) for heading in headings]
        axes.plot(turns, recalls + recalls[:1], marker=".", label=f"R@{k}")
    axes.set(xlabel="queries turned clockwise by, deg", ylabel="recall, %", title=title)
    axes.set(xticks=range(0, FULL_TURN_DEG + 1, 45), xlim=(0, FULL_TURN_DEG), ylim=(0, 101))
    axes.grid(alpha=0.3)
    axes.legend()
    save_figure(figure, path)
