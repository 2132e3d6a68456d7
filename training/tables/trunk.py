"""Step 0: the initial weights that all methods share, trained on towns that no table is measured on."""

from __future__ import annotations

from pathlib import Path

import torch

from mift_ros.simulation.geotiff import TOWN_LAT_DEG, TOWN_LON_DEG, write_geotiff
from mift_ros.simulation.world import make_town
from training.checkpoint import load_weights, save_weights
from training.loop.state import STATE_FILE
from training.loop.trainer import WEIGHTS_FILE, train
from training.model.build import build_network
from training.recipes.schema import Recipe

TOWNS = 8
FIRST_SEED = 9000
"""Of the towns' seeds. The synthetic sets draw theirs at random from 2^31."""
SIDE_M = 800.0
GSD_M = 0.5
TRUNK_FILE = "trunk.safetensors"


def make_towns(folder: Path) -> None:
    """Write what is missing of town0.tif ...: every other one as the satellite sees it, the others as the drone does.

    Towns of the simulator's own kind, with other land use than the campuses of the synthetic sets.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(TOWNS):
        path = folder / f"town{index}.tif"
        if not path.exists():
            world = make_town(FIRST_SEED + index, SIDE_M, GSD_M)
            view = world.map_rgb if index % 2 == 0 else world.camera_rgb
            write_geotiff(view, path, TOWN_LAT_DEG, TOWN_LON_DEG, world.gsd_m)


def train_trunk(recipe: Recipe, towns: Path, folder: Path) -> Path | None:
    """Weights of the recipe on the towns, trained where they are not there yet; None when interrupted."""
    trunk = folder / TRUNK_FILE
    if not trunk.exists():
        make_towns(towns)
        if not train(recipe, towns, folder, resume=(folder / STATE_FILE).exists()):
            return None
        keep_stages(folder / WEIGHTS_FILE, trunk, recipe)
    return trunk


def keep_stages(weights: Path, trunk: Path, recipe: Recipe) -> None:
    """Write the stages of `weights` below an untrained head, so that no method finds its own head trained."""
    torch.manual_seed(recipe.seed)
    network = build_network(recipe.variant, recipe.method, recipe.network)
    network.stages.load_state_dict(load_weights(weights).stages.state_dict())
    save_weights(trunk, network, recipe.name)
