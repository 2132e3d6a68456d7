"""Retrieval sheets, heat maps and the sweep over headings, at pixels that are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mift_ros.errors import TrainingError
from training.data.multiview.dataset import ImageSet, Task
from training.data.multiview.images import Pixels
from training.evaluation.extract import NetworkEncoder, embed_sets
from training.evaluation.headings import plot_headings, sweep, turned
from training.evaluation.heatmaps import draw_heat_maps, heat_maps, overlay, paint
from training.evaluation.sheets import (
    CELL_PX,
    FRAME_PX,
    GREEN,
    RED,
    TILE_PX,
    TOP,
    Sheet,
    SheetRow,
    compose,
    draw_sheets,
    make_sheet,
    tile_corner,
)
from training.loop.preprocess import normalise
from training.model.config import MiftConfig
from training.model.mift import Mift
from training.model.network import Network

SMALL = MiftConfig("small", 64, (16, 16, 16, 16), (2, 2, 2, 2), (1, 1, 1, 1), 4, (4, 4, 8, 8), 8)
PLACES = 7


@pytest.fixture(scope="module")
def network() -> Mift:
    torch.manual_seed(0)
    return Mift(SMALL).eval()


def pictures(seed: int = 0) -> Pixels:
    """Pictures [PLACES, 64, 64, 3] of coarse blocks."""
    coarse = np.random.default_rng(seed).integers(0, 256, (PLACES, 4, 4, 3), dtype=np.uint8)
    return np.stack([cv2.resize(image, (64, 64), interpolation=cv2.INTER_NEAREST) for image in coarse])


def write(images: Pixels, folder: Path) -> ImageSet:
    folder.mkdir()
    paths = tuple(folder / f"{index}.png" for index in range(len(images)))
    for path, image in zip(paths, images):
        cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return ImageSet(paths, np.arange(len(images), dtype=np.int64))


def test_sheet_frames_right_images_green_and_wrong_ones_red(tmp_path: Path) -> None:
    files = write(np.full((2, 8, 8, 3), (10, 20, 30), np.uint8), tmp_path / "images").files
    row = SheetRow(files[0], 4, (files[1],) * TOP, (9, 4, 9, 4, 4))
    sheet = compose(Sheet("task", (row, row)))
    for number in range(2):
        for column, colour in enumerate((RED, GREEN, RED, GREEN, GREEN), start=1):
            top, left = tile_corner(number, column)
            for y, x in ((0, 0), (CELL_PX - 1, CELL_PX - 1), (TILE_PX // 2, FRAME_PX - 1)):
                assert tuple(sheet[top + y, left + x]) == colour
            assert tuple(sheet[top + FRAME_PX, left + FRAME_PX]) == (10, 20, 30)
        top, left = tile_corner(number, 0)
        assert tuple(sheet[top, left]) == (255, 255, 255)
        assert tuple(sheet[top + FRAME_PX, left + FRAME_PX]) == (10, 20, 30)


def test_sheet_of_equal_images_has_each_query_first(network: Mift, tmp_path: Path) -> None:
    queries, gallery = write(pictures(), tmp_path / "queries"), write(pictures(), tmp_path / "gallery")
    task = Task("drone->satellite", queries, gallery)
    sheet = make_sheet(task, embed_sets(NetworkEncoder(network), [queries, gallery], flip=False, workers=1))
    assert [row.found_labels[0] for row in sheet.rows] == [row.label for row in sheet.rows] == list(range(PLACES))
    assert all(len(row.found) == TOP for row in sheet.rows)
    draw_sheets([sheet, sheet], tmp_path / "sheet.png")
    assert cv2.imread(str(tmp_path / "sheet.png")).shape[1] > 2 * sheet_width(sheet)


def sheet_width(sheet: Sheet) -> int:
    return compose(sheet).shape[1]


def test_sheet_of_a_gallery_of_fewer_than_five_images(tmp_path: Path) -> None:
    files = write(pictures(), tmp_path / "images").files
    short = compose(Sheet("task", (SheetRow(files[0], 0, files[:2], (0, 1)),)))
    assert tuple(short[0, tile_corner(0, 3)[1]]) == (255, 255, 255)


def test_quarter_turns_move_pixels_clockwise_and_lose_none() -> None:
    images = pictures()
    images[:, 0, 32] = (255, 0, 255)
    quarter = turned(images, 90)
    assert (quarter[:, 32, 63] == (255, 0, 255)).all()
    np.testing.assert_array_equal(turned(quarter, 270), images)
    np.testing.assert_array_equal(turned(images, 180), images[:, ::-1, ::-1])


def test_other_turns_are_clockwise_too_and_leave_no_empty_corner() -> None:
    image = np.full((1, 65, 65, 3), 100, np.uint8)
    image[0, 18:23, 30:35] = 255
    y, x = np.argwhere(turned(image, 45)[0, :, :, 0] > 200).mean(axis=0) - 32
    assert (y, x) == pytest.approx((-12 / 2**0.5, 12 / 2**0.5), abs=1.0)
    assert turned(image, 45).min() >= 100


def test_sweep_finds_the_heading_by_which_the_gallery_is_turned(network: Mift, tmp_path: Path) -> None:
    queries, gallery = write(pictures(), tmp_path / "queries"), write(turned(pictures(), 90), tmp_path / "gallery")
    found = sweep(NetworkEncoder(network), Task("drone->satellite", queries, gallery), 90)
    assert [heading.turn_deg for heading in found] == [0, 90, 180, 270]
    recalls = [heading.ranking.recall_at(1) for heading in found]
    assert recalls[1] == 1.0 and recalls[0] < 1.0
    plot_headings(found, tmp_path / "headings.png", "turned")
    assert cv2.imread(str(tmp_path / "headings.png")) is not None


def test_heat_maps_are_those_of_the_equations(network: Mift) -> None:
    images = pictures()
    found = heat_maps(network, images)
    with torch.no_grad():
        stages = network.features(normalise(torch.from_numpy(images)))
        fused = network.fusion(stages)
    for index, maps in enumerate(found):
        np.testing.assert_allclose(maps.stage_heat, stages[-1][index].mean(dim=2), rtol=1e-6)
        np.testing.assert_allclose(maps.fused, fused[index].mean(dim=2), rtol=1e-6)
        assert sorted(np.unique(maps.regions)) == [0, 1, 2]
        assert maps.stage_heat[maps.regions == 2].min() >= maps.stage_heat[maps.regions == 1].max()


def test_overlay_is_blue_where_cold_and_red_where_hot_and_even_heat_is_drawn() -> None:
    grey = np.full((64, 64, 3), 128, np.uint8)
    cold, hot = overlay(grey, np.array([[0, 0], [0, 1]], np.float32))[[2, -2], [2, -2]].astype(int)
    assert cold[2] > cold[0] and hot[0] > hot[2]
    assert (overlay(grey, np.ones((2, 2), np.float32)) == overlay(grey, np.ones((2, 2), np.float32))[0, 0]).all()


def test_regions_keep_the_edges_of_their_patches() -> None:
    painted = paint(np.zeros((64, 64, 3), np.uint8), np.array([[0, 1], [2, 2]]))
    assert len(np.unique(painted.reshape(-1, 3), axis=0)) == 3
    assert (painted[:32, :32] == painted[0, 0]).all() and (painted[32:] == painted[63, 63]).all()


def test_heat_maps_are_drawn_as_a_row_per_image(network: Mift, tmp_path: Path) -> None:
    files = write(pictures()[:2], tmp_path / "images").files
    draw_heat_maps(network, files, tmp_path / "heat.png")
    height, width = cv2.imread(str(tmp_path / "heat.png")).shape[:2]
    assert 1.5 < width / height < 2.0


def test_heat_maps_need_the_network_of_the_paper(tmp_path: Path) -> None:
    class Other(Network):
        method = "other"

        def describe(self, stages: list[torch.Tensor]) -> torch.Tensor:
            return stages[-1].mean(dim=(1, 2))[:, None]

    others = {"the method 'other'": Other(SMALL, 1), "a grid of 2": Mift(replace(SMALL, grid=2))}
    for kind, network in others.items():
        with pytest.raises(TrainingError, match=f"the method mift with regions; these weights are of {kind}"):
            draw_heat_maps(network, [tmp_path / "image.png"], tmp_path / "heat.png")
