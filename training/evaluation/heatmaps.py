"""Fig. 11 of the paper: where the last stage and the fused features are active, and the regions cut from the former."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from matplotlib import colormaps
from torch import Tensor

from mift_ros.errors import TrainingError
from training.data.multiview.images import Pixels, read_image
from training.evaluation.figures import new_figure, save_figure
from training.loop.preprocess import normalise
from training.model.mift import Mift
from training.model.network import Network
from training.model.regions import heat, partition

OPACITY = 0.5
PANEL_IN = 2.2
TITLES = ("image", "heat of stage 4 (Eq. 1)", "fused features (MFF)", "regions, dark is cold")


@dataclass(frozen=True)
class Maps:
    """Of one image: heat of the patches of stage 4, mean of the fused features, region of each patch; each [P, P]."""

    stage_heat: npt.NDArray[np.float32]
    fused: npt.NDArray[np.float32]
    regions: npt.NDArray[np.int64]


@torch.no_grad()
def heat_maps(network: Mift, images: Pixels) -> list[Maps]:
    """Maps of RGB images [B, S, S, 3]."""
    network.eval()
    device = next(network.parameters()).device
    stages = network.features(normalise(torch.from_numpy(images).to(device)))
    last = stages[-1]
    side = last.shape[1]
    values = heat(last.flatten(1, 2))
    labels = partition(values, network.config.regions)
    fused = network.fusion(stages).mean(dim=3)
    rows = zip(_square(values.float(), side), _square(fused.float(), side), _square(labels, side))
    return [Maps(*row) for row in rows]


def draw_heat_maps(network: Network, paths: Sequence[Path], out: Path) -> None:
    """A row per image: the image, both maps and the regions over it, as PNG.

    Raises TrainingError for a damaged image and for a network that is not MIFT.
    """
    if not isinstance(network, Mift) or network.config.grid:
        kind = f"a grid of {network.config.grid}" if network.config.grid else f"the method {network.method!r}"
        raise TrainingError(f"heat maps are of the method mift with regions; these weights are of {kind}")
    images = np.stack([read_image(path, network.config.input_size) for path in paths])
    figure = new_figure(len(TITLES) * PANEL_IN, len(paths) * PANEL_IN + 0.3)
    grid = figure.subplots(len(paths), len(TITLES), squeeze=False)
    for row, image, maps in zip(grid, images, heat_maps(network, images)):
        shown = (image, overlay(image, maps.stage_heat), overlay(image, maps.fused), paint(image, maps.regions))
        for axes, panel in zip(row, shown):
            axes.imshow(panel)
            axes.set_axis_off()
    for axes, title in zip(grid[0], TITLES):
        axes.set_title(title, fontsize=9)
    save_figure(figure, out)


def overlay(image: Pixels, values: npt.NDArray[np.float32]) -> Pixels:
    """Values, coldest blue and hottest red, smoothly over the image [S, S, 3]."""
    span = float(np.ptp(values)) or 1.0
    unit = cv2.resize((values - values.min()) / span, image.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    return _blend(image, colormaps["jet"](np.clip(unit, 0.0, 1.0)))


def paint(image: Pixels, labels: npt.NDArray[np.int64]) -> Pixels:
    """Each region in a colour of its own over the image [S, S, 3], with the patches' hard edges."""
    large = cv2.resize(labels.astype(np.uint8), image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    return _blend(image, colormaps["viridis"](large / max(int(labels.max()), 1)))


def _blend(image: Pixels, colours: npt.NDArray[np.float64]) -> Pixels:
    mixed = (1.0 - OPACITY) * image + OPACITY * 255.0 * colours[..., :3]
    return np.asarray(mixed.round(), np.uint8)


def _square(values: Tensor, side: int) -> npt.NDArray[np.float32]:
    squares: npt.NDArray[np.float32] = values.reshape(len(values), side, side).cpu().numpy()
    return squares
