"""Batches of a set: what the paper's k means, the same in any worker, share and resumed run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from mift_ros.errors import TrainingError
from training.data.batch import Share
from training.data.multiview import memory
from training.data.multiview.batches import MultiviewBatches
from training.data.multiview.layout import open_dataset
from training.data.multiview.neighbours import geographic_neighbours
from training.recipes.reader import parse_recipe
from training.recipes.schema import Recipe

CLASSES, DRONES, SIDE = 10, 4, 16
AUGMENT = {"flip": 0.5, "crop": 0.1, "satellite_turns": True, "colour": 0.5, "jpeg": 0.5, "dropout": 0.5}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set whose images say who they are: red is 20 x class, green 10 x number of the drone image, blue its view."""
    folder = tmp_path_factory.mktemp("set")
    lines = ["split,class,latitude_deg,longitude_deg"]
    for label in range(CLASSES):
        for view, count in (("satellite", 1), ("drone", DRONES)):
            place = folder / "train" / view / f"{100 + label:04d}"
            place.mkdir(parents=True)
            for index in range(count):
                bgr = (200 if view == "drone" else 0, 10 * index, 20 * label)
                cv2.imwrite(str(place / f"{index}.png"), np.full((24, 24, 3), bgr, np.uint8))
        lines.append(f"train,{100 + label},{50.0 + 0.01 * label},4.0")
    (folder / "positions.csv").write_text("\n".join(lines))
    return folder


def recipe(classes: int = 4, per_class: int = 3, **data: Any) -> Recipe:
    values = {
        "name": "a", "variant": "tiny", "epochs": 2, "loss": {"triplet": 1.0},
        "batch": {"classes": classes, "per_class": per_class}, "data": {"multiview": data},
    }  # fmt: skip
    return parse_recipe(values, "a.yaml")


def same(a: Any, b: Any) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b))


def test_a_batch_holds_k_distinct_drone_images_and_k_satellite_ones_of_each_class(root: Path) -> None:
    batches = MultiviewBatches(root, recipe(), SIDE)
    assert batches.classes == CLASSES and batches.epoch_steps == 3
    for step in range(6):
        batch = batches[step]
        assert (
            batch.satellite.shape == batch.drone.shape == (12, SIDE, SIDE, 3) and batch.satellite.dtype == torch.uint8
        )
        labels = batch.labels.reshape(4, 3)
        assert (labels == labels[:, :1]).all() and len(labels[:, 0].unique()) == 4
        for view, blue in ((batch.satellite, 0), (batch.drone, 200)):
            assert torch.equal(view[:, 0, 0, 0].long(), 20 * batch.labels) and (view[..., 2] == blue).all()
        numbers = batch.drone[:, 0, 0, 1].reshape(4, 3)
        assert all(len(row.unique()) == 3 for row in numbers)


def test_an_epoch_shows_every_class(root: Path) -> None:
    batches = MultiviewBatches(root, recipe(per_class=1), SIDE)
    shown = torch.cat([batches[step].labels for step in range(batches.epoch_steps)])
    assert sorted(shown.unique().tolist()) == list(range(CLASSES))


def test_a_step_is_the_same_in_any_worker_and_in_a_resumed_run(root: Path) -> None:
    batches = MultiviewBatches(root, recipe(augment=AUGMENT), SIDE)
    alone = [batches[step] for step in range(4)]
    workers = DataLoader(batches, batch_size=None, sampler=range(4), num_workers=2)
    assert all(same(a, b) for a, b in zip(alone, workers))
    assert same(alone[3], MultiviewBatches(root, recipe(augment=AUGMENT), SIDE)[3])
    assert not same(alone[0], alone[3])


def test_the_satellite_image_of_a_class_is_changed_anew_for_each_of_its_rows(root: Path) -> None:
    batch = MultiviewBatches(root, recipe(augment={"colour": 1.0}), SIDE)[0]
    assert len(batch.satellite[:3].unique(dim=0)) == 3


def test_shares_of_two_processes_are_the_batch_of_one(root: Path) -> None:
    whole = MultiviewBatches(root, recipe(augment=AUGMENT), SIDE)[5]
    halves = [MultiviewBatches(root, recipe(augment=AUGMENT), SIDE, Share(rank, 2))[5] for rank in range(2)]
    assert same(whole, [torch.cat(parts) for parts in zip(*halves)])


def test_images_kept_in_memory_are_those_decoded_anew(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = MultiviewBatches(root, recipe(augment=AUGMENT), SIDE)
    monkeypatch.setattr(memory, "MOST_OF_MEMORY", 0.0)
    anew = MultiviewBatches(root, recipe(augment=AUGMENT), SIDE)
    assert same(kept[1], anew[1])
    assert all(np.array_equal(a, b) for a, b in zip(kept.class_images(), anew.class_images(), strict=True))


@pytest.mark.parametrize(("limit", "kept"), [(None, True), ("max", True), (4 * 50 * SIDE**2 * 3, True), (9999, False)])
def test_images_take_a_quarter_of_the_containers_memory_at_most(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: object, kept: bool
) -> None:
    monkeypatch.setattr(memory, "LIMIT", tmp_path / "memory.max")
    if limit is not None:
        memory.LIMIT.write_text(str(limit))
    files = [path for each in open_dataset(root).training_classes() for path in (*each.satellite, *each.drone)]
    assert len(files) == 50
    assert memory.ImageMemory(files, SIDE).kept == kept


def test_one_plain_satellite_image_of_each_class_is_embedded_for_mining(root: Path) -> None:
    images = np.concatenate(list(MultiviewBatches(root, recipe(augment=AUGMENT), SIDE).class_images()))
    assert images[:, 0, 0, 0].tolist() == [20 * label for label in range(CLASSES)] and (images[..., 2] == 0).all()


def test_mined_neighbours_join_their_class_after_the_first_epoch(root: Path) -> None:
    batches = MultiviewBatches(root, recipe(2, 1, hard_negatives="embedding"), SIDE)
    plain = [batches[step].labels.tolist() for step in range(5)]
    partner = np.arange(CLASSES)[:, None] ^ 1
    batches.mine(partner)
    assert [batches[step].labels.tolist() for step in range(5)] == plain
    assert all(a ^ 1 == b for a, b in (batches[step].labels.tolist() for step in range(5, 10)))
    with pytest.raises(TrainingError, match=r"neighbours are \[10, K\], not \[3, 1\]"):
        batches.mine(partner[:3])


def test_geographic_neighbours_are_the_nearest_places(root: Path) -> None:
    dataset = open_dataset(root)
    nearest = geographic_neighbours(dataset, dataset.training_classes(), 2)
    assert nearest[0].tolist() == [1, 2] and nearest[9].tolist() == [8, 7] and nearest.shape == (10, 2)
    assert geographic_neighbours(dataset, dataset.training_classes(), 99).shape == (10, 9)
    batches = MultiviewBatches(root, recipe(2, 1, hard_negatives="geographic", neighbours=2), SIDE)
    first = batches[5].labels.tolist()
    assert abs(first[0] - first[1]) == 1


def test_a_set_without_positions_has_no_geographic_neighbours(root: Path, tmp_path: Path) -> None:
    (tmp_path / "train").symlink_to(root / "train")
    with pytest.raises(TrainingError, match="University-1652 has no positions"):
        MultiviewBatches(tmp_path, recipe(hard_negatives="geographic"), SIDE)
    (tmp_path / "positions.csv").write_text("split,class,latitude_deg,longitude_deg\ntrain,100,50,4\n")
    with pytest.raises(TrainingError, match="no position of training class 0101"):
        MultiviewBatches(tmp_path, recipe(hard_negatives="geographic"), SIDE)


def test_a_batch_that_the_set_cannot_fill_is_refused(root: Path) -> None:
    with pytest.raises(TrainingError, match=r"batch\.classes: 12, but .* has 10 training classes"):
        MultiviewBatches(root, recipe(12), SIDE)


def test_a_damaged_image_is_named_before_training_begins(root: Path, tmp_path: Path) -> None:
    for view in ("satellite", "drone"):
        for label in (1, 2):
            (tmp_path / f"train/{view}/{label}").mkdir(parents=True)
            (tmp_path / f"train/{view}/{label}/a.jpg").write_bytes(b"damaged")
    with pytest.raises(TrainingError, match=r"a\.jpg: damaged or no image"):
        MultiviewBatches(tmp_path, recipe(2), SIDE)
