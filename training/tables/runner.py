"""Train and evaluate the rows of a table, one folder each; what is finished is not done again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mift_ros.errors import TrainingError
from mift_ros.files import write_file
from mift_ros.threads import processors
from training.data.multiview.layout import open_dataset
from training.data.multiview.sampler import epoch_steps
from training.evaluation.extract import load_network
from training.evaluation.protocol import DRONE_TO_SATELLITE, SATELLITE_TO_DRONE, SplitResult, evaluate_split
from training.loop.state import STATE_FILE, read_state_file
from training.loop.trainer import WEIGHTS_FILE, train
from training.recipes.reader import load_recipe
from training.recipes.schema import Recipe
from training.tables.budget import fit
from training.tables.paper import Experiment, Figures
from training.tables.trunk import train_trunk

RECIPES = Path(__file__).parents[1] / "recipes"
RESULT_FILE = "result.json"


@dataclass(frozen=True)
class Settings:
    """What holds for every row.

    changes: to its recipe, on top of its own (as --set); images: to train on (0: the recipe's own length); seeds: runs
    of each row, with seeds 0, 1, ...; initial: weights of the stages, without which a common trunk is trained first,
    over trunk_steps steps.
    """

    changes: tuple[str, ...] = ()
    images: int = 0
    seeds: int = 1
    initial: Path | None = None
    trunk_steps: int = 1200


@dataclass(frozen=True)
class Result:
    """A finished run: what was measured on the test split, and what it took.

    parameters: without classifiers; train_s: of its steps, without evaluations and over all interruptions.
    """

    label: str
    seed: int
    figures: Figures
    images: int
    steps: int
    parameters: int
    train_s: float


class Interrupted(Exception):  # noqa: N818
    """The first Ctrl-C ended a training early; its state is saved."""


class Runner:
    """Runs rows on one data set below one folder. Rows of several tables that come to the same recipe share a run."""

    def __init__(self, settings: Settings, data: Path, out: Path, say: Callable[[str], None]) -> None:
        """say: told what begins. Raises TrainingError when data holds no multi-view set."""
        self._settings, self._data, self._out, self._say = settings, data, out, say
        self._classes = len(open_dataset(data).training_classes())

    def run(self, experiment: Experiment) -> list[Result]:
        """Train and evaluate a row with every seed, or go on with it, or read what is there.

        Raises Interrupted where training was.
        """
        return [self._run(experiment, seed) for seed in range(self._settings.seeds)]

    def _run(self, experiment: Experiment, seed: int) -> Result:
        recipe = planned(experiment, self._settings, self._classes, seed)
        folder = self._folder("runs", recipe)
        if not (folder / RESULT_FILE).exists():
            self._train(experiment, recipe, folder)
        return read_result(folder / RESULT_FILE, experiment.label)

    def _train(self, experiment: Experiment, recipe: Recipe, folder: Path) -> None:
        resume = (folder / STATE_FILE).exists()
        initial = None if resume else self._settings.initial or self._trunk(recipe)
        length = f"{steps(recipe, self._classes)} steps of {images_a_step(recipe)} images"
        self._say(f"{experiment.label}, seed {recipe.seed}: {length}")
        if not train(recipe, self._data, folder, resume=resume, init=initial):
            raise Interrupted
        write_result(recipe, self._data, folder, steps(recipe, self._classes))

    def _trunk(self, recipe: Recipe) -> Path:
        """One trunk for all rows whose stages are alike."""
        changes = (
            f"variant={recipe.variant}",
            f"steps={self._settings.trunk_steps}",
            f"network.kernels={json.dumps(recipe.network.kernels)}",
            f"network.attention={json.dumps(recipe.network.attention)}",
        )
        common = load_recipe(RECIPES / "common_trunk.yaml", changes)
        self._say("common trunk")
        weights = train_trunk(common, self._out / "towns", self._folder("trunks", common))
        if weights is None:
            raise Interrupted
        return weights

    def _folder(self, kind: str, recipe: Recipe) -> Path:
        """Another one for any other recipe or initial weights."""
        initial = str(self._settings.initial or self._settings.trunk_steps)
        identity = json.dumps([recipe.to_dict(), initial], sort_keys=True)
        return self._out / kind / f"{recipe.name}-{recipe.method}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"


def planned(experiment: Experiment, settings: Settings, classes: int, seed: int = 0) -> Recipe:
    """The recipe of a row, over the images of the settings on a set of so many training classes."""
    changes = (*experiment.changes, f"seed={seed}", *settings.changes)
    recipe = load_recipe(RECIPES / f"{experiment.recipe}.yaml", changes)
    return fit(recipe, settings.images, classes) if settings.images else recipe


def steps(recipe: Recipe, classes: int) -> int:
    """Length of a run on so many training classes."""
    return recipe.steps or recipe.epochs * epoch_steps(classes, recipe.batch.classes)


def images_a_step(recipe: Recipe) -> int:
    """Of both views together."""
    return 2 * recipe.batch.classes * recipe.batch.per_class


def write_result(recipe: Recipe, data: Path, folder: Path, trained_steps: int) -> None:
    """Evaluate the trained weights of a folder, flipped as the recipe says, and write them beside."""
    network = load_network(folder / WEIGHTS_FILE)
    result = Result(
        label=recipe.name,
        seed=recipe.seed,
        figures=measured(evaluate_split(network, data, flip=recipe.evaluation.flip, workers=processors())),
        images=trained_steps * images_a_step(recipe),
        steps=trained_steps,
        parameters=sum(p.numel() for p in network.parameters()),
        train_s=read_state_file(folder / STATE_FILE)["trained_s"],
    )
    write_file(folder / RESULT_FILE, json.dumps(asdict(result), indent=1))


def read_result(path: Path, label: str) -> Result:
    """What write_result wrote, under the label of a row; raises TrainingError for a damaged file."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Result(**{**content, "label": label, "figures": Figures(**content["figures"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise TrainingError(f"{path}: damaged; delete the folder to run its row again") from error


def measured(split: SplitResult) -> Figures:
    """R@1 and AP (the official trapezoid) of both directions, percent."""
    return Figures(
        *(
            100.0 * value
            for direction in (DRONE_TO_SATELLITE, SATELLITE_TO_DRONE)
            for value in (split.recall_at(1, direction), split.mean_ap(direction))
        )
    )
