"""MIFT's parts each taken away and trained alike on orthophotos: what each is worth on ground never trained on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mift_ros.errors import TrainingError
from mift_ros.files import write_file
from training.data.orthophotos.batches import held_out_pairs
from training.data.orthophotos.imagery import Imagery, load_imagery
from training.evaluation.extract import load_network
from training.evaluation.held_out import evaluate_pairs, held_out_sources
from training.loop.state import STATE_FILE
from training.loop.trainer import WEIGHTS_FILE, train
from training.model.config import VARIANTS
from training.model.cost import count_flops
from training.model.network import Network
from training.recipes.reader import load_recipe
from training.recipes.schema import Recipe

RESULT_FILE = "result.json"
STRENGTHS = {"full": 1.0, "half": 0.5}
"""Shares of the recipe's changes of appearance at which the held-out places are shown."""
VIEW_SEEDS = (1, 2, 3)
"""Of the held-out places and their views; each seed draws evaluation.places of them."""


@dataclass(frozen=True)
class Part:
    """A row: what is taken away, as changes to the recipe (as --set)."""

    label: str
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PartResult:
    """A finished run. ranks: by strength, of each query's own tile, 0 is first; the same queries in every run."""

    seed: int
    steps: int
    images: int
    parameters: int
    flops: int
    ranks: dict[str, list[int]]

    def hits(self, strength: str, k: int) -> npt.NDArray[np.float64]:
        """1 for each query whose own tile is among the first k, else 0."""
        return (np.array(self.ranks[strength]) < k).astype(np.float64)


class Interrupted(Exception):  # noqa: N818
    """The first Ctrl-C ended a training early; its state is saved."""


def rows(variant: str) -> tuple[Part, ...]:
    """The whole network, then without one part each.

    Without regions the one branch is as wide as all of them together, so that the embedding keeps its length.
    """
    width = VARIANTS[variant].embedding_dim
    return (
        Part("all parts"),
        Part("embedding: one kernel a stage", ("network.kernels=[[4], [2], [2], [2]]",)),
        Part("GLRA: local range alone", ("network.attention=local",)),
        Part("GLRA: plain attention (MHA)", ("network.attention=mha",)),
        Part("no MFF: global feature of stage 4", ("network.fusion=false",)),
        Part("no regions: one branch", ("network.regions=1", f"network.head_dim={width}")),
        Part("no regions: quarters of the patch", ("network.grid=2",)),
    )


def run_parts(
    recipe: Path, changes: Sequence[str], data: Path, out: Path, seeds: int, say: Callable[[str], None]
) -> Iterator[tuple[str, PartResult]]:
    """Label and result of each run, all rows with one seed before the next; what is finished is read, not done again.

    Raises:
        Interrupted: by Ctrl-C; the same call goes on.
        TrainingError: the recipe is not of orthophotos, nothing is held out, or a result is damaged.
    """
    base = load_recipe(recipe, tuple(changes))
    if base.data.orthophotos is None:
        raise TrainingError(f"recipe {base.name}: the parts are compared on held-out places of orthophotos")
    for seed in range(seeds):
        for part in rows(base.variant):
            planned = load_recipe(recipe, (*changes, *part.changes, f"seed={seed}"))
            folder = out / "runs" / _folder(planned)
            if not (folder / RESULT_FILE).exists():
                say(f"{part.label}, seed {seed}: {planned.steps} steps of {2 * planned.batch.classes} images")
                _train(planned, data, folder)
            yield part.label, read_result(folder / RESULT_FILE)


def held_out_ranks(network: Network, recipe: Recipe, images: Sequence[Imagery]) -> dict[str, list[int]]:
    """Ranks by strength, over the places of all VIEW_SEEDS."""
    found = {}
    for name, strength in STRENGTHS.items():
        ranks: list[int] = []
        for seed in VIEW_SEEDS:
            shown = _shown(recipe, strength, seed)
            gallery, queries = held_out_pairs(images, shown, network.config.input_size)
            if len(gallery) < 2:
                raise TrainingError(f"recipe {recipe.name}: no two held-out places; set hold_out_every on a source")
            ranks += evaluate_pairs(network, gallery, queries).ranks.tolist()
        found[name] = ranks
    return found


def read_result(path: Path) -> PartResult:
    """A finished run; raises TrainingError for a damaged file."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return PartResult(**content)
    except (OSError, ValueError, TypeError) as error:
        raise TrainingError(f"{path}: damaged; delete the folder to run its row again") from error


def _train(recipe: Recipe, data: Path, folder: Path) -> None:
    if not train(recipe, data, folder, resume=(folder / STATE_FILE).exists()):
        raise Interrupted
    network = load_network(folder / WEIGHTS_FILE)
    sources, views = held_out_sources(recipe)
    result = PartResult(
        seed=recipe.seed,
        steps=recipe.steps,
        images=2 * recipe.batch.classes * recipe.steps,
        parameters=sum(p.numel() for p in network.parameters()),
        flops=count_flops(network)[""],
        ranks=held_out_ranks(network, recipe, load_imagery(data, sources, views.finest_gsd_m)),
    )
    write_file(folder / RESULT_FILE, json.dumps(asdict(result)))


def _shown(recipe: Recipe, strength: float, seed: int) -> Recipe:
    spec = recipe.data.orthophotos
    assert spec is not None
    views = replace(
        spec.views,
        map=replace(spec.views.map, strength=strength * spec.views.map.strength),
        drone=replace(spec.views.drone, strength=strength * spec.views.drone.strength),
    )
    data = replace(recipe.data, orthophotos=replace(spec, views=views))
    return replace(recipe, data=data, evaluation=replace(recipe.evaluation, seed=seed))


def _folder(recipe: Recipe) -> str:
    """Another one for any other recipe."""
    identity = json.dumps(recipe.to_dict(), sort_keys=True)
    return f"{recipe.name}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"
