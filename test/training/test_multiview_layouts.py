"""Data sets found by their folders: what is trained on, what is retrieved, and what is said when something is off."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mift_ros.errors import TrainingError
from training.data.multiview.layout import open_dataset
from training.data.multiview.parts import Part, View
from training.data.multiview.sues import HEIGHTS_M, TEST, TRAIN

TRAINING_PLACES, QUERY_PLACES, DISTRACTOR = (1, 2, 3), (8, 12), 14
"""Place 8, 12, 14 are test places of SUES-200."""


def touch(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def make_university(root: Path, digits: int = 4, suffix: str = "jpeg") -> Path:
    def places(folder: str, labels: tuple[int, ...], images: int) -> None:
        for label in labels:
            touch(root / folder / f"{label:0{digits}d}", *(f"image-{i:02d}.{suffix}" for i in range(images)))

    gallery = (*QUERY_PLACES, DISTRACTOR)
    places("train/satellite", TRAINING_PLACES, 1)
    places("train/drone", TRAINING_PLACES, 4)
    places("test/query_satellite", QUERY_PLACES, 1)
    places("test/query_drone", QUERY_PLACES, 4)
    places("test/gallery_satellite", gallery, 1)
    places("test/gallery_drone", gallery, 4)
    return root


def make_dense(root: Path) -> Path:
    make_university(root, digits=6, suffix="JPG")
    lines = [f"train/drone/{label:06d}/H80.JPG E120.{label} N30.{label} 80.0" for label in TRAINING_PLACES]
    (root / "Dense_GPS_train.txt").write_text("\n".join([*lines, ""]))
    (root / "Dense_GPS_test.txt").write_text("test/query_drone/000008/H80.JPG E121.5 N31.5 80\n")
    return root


def make_sues_downloaded(root: Path) -> Path:
    for place in (*TRAINING_PLACES, *QUERY_PLACES):
        touch(root / "satellite-view" / f"{place:04d}", "0.png")
        for height in HEIGHTS_M:
            touch(root / "drone_view_512" / f"{place:04d}" / str(height), "0.jpg", "1.jpg")
    return root


def make_sues_split(root: Path) -> Path:
    for height in HEIGHTS_M:
        for place in TRAINING_PLACES:
            touch(root / f"Training/{height}/satellite/{place:04d}", "0.png")
            touch(root / f"Training/{height}/drone/{place:04d}", "0.jpg", "1.jpg")
        for place in (*TRAINING_PLACES, *QUERY_PLACES):
            for role in ("gallery", "query") if place in QUERY_PLACES else ("gallery",):
                touch(root / f"Testing/{height}/{role}_satellite/{place:04d}", "0.png")
                touch(root / f"Testing/{height}/{role}_drone/{place:04d}", "0.jpg", "1.jpg")
    return root


def test_university_trains_on_satellite_and_drone_and_retrieves_both_ways(tmp_path: Path) -> None:
    found = open_dataset(make_university(tmp_path))
    classes = found.training_classes()
    assert found.name == "University-1652" and [c.label for c in classes] == [1, 2, 3]
    assert [(len(c.satellite), len(c.drone)) for c in classes] == [(1, 4)] * 3
    to_satellite, to_drone = found.tasks()
    assert (to_satellite.name, to_drone.name) == ("drone->satellite", "satellite->drone")
    assert (len(to_satellite.queries), len(to_satellite.gallery)) == (8, 3)
    assert (len(to_drone.queries), len(to_drone.gallery)) == (2, 12)


def test_labels_are_the_numbers_of_the_folders_and_distractors_keep_their_own(tmp_path: Path) -> None:
    task = open_dataset(make_university(tmp_path)).tasks()[0]
    assert task.queries.labels.tolist() == [8] * 4 + [12] * 4 and task.gallery.labels.tolist() == [8, 12, 14]
    assert task.queries.labels.dtype == np.int64
    assert all(int(path.parent.name) == label for path, label in zip(task.queries.files, task.queries.labels))


def test_a_set_of_this_layout_with_a_table_has_positions(tmp_path: Path) -> None:
    root = make_university(tmp_path)
    (root / "positions.csv").write_text(
        "split,class,latitude_deg,longitude_deg\ntrain,0001,50.1,4.2\ntest,0008,50.3,4.4\n"
    )
    found = open_dataset(root)
    assert found.positions("train") == {1: (50.1, 4.2)} and found.positions("test") == {8: (50.3, 4.4)}
    assert all(part.published is None for part in found.evaluation_parts())


def test_dense_is_told_by_its_positions_or_six_digits(tmp_path: Path) -> None:
    found = open_dataset(make_dense(tmp_path / "a"))
    assert found.name == "DenseUAV" and len(found.training_classes()) == 3
    assert found.positions("train")[2] == (30.2, 120.2) and found.positions("test")[8] == (31.5, 121.5)
    without = open_dataset(make_university(tmp_path / "b", digits=6))
    assert without.name == "DenseUAV"
    with pytest.raises(TrainingError, match="has no positions"):
        without.positions("train")


@pytest.mark.parametrize("make", [make_sues_downloaded, make_sues_split])
def test_sues_has_a_task_each_way_for_each_height(make, tmp_path: Path) -> None:
    found = open_dataset(make(tmp_path))
    tasks = {task.name: task for task in found.tasks()}
    assert list(tasks)[:3] == ["drone->satellite 150 m", "satellite->drone 150 m", "drone->satellite 200 m"]
    assert len(tasks) == 8
    assert all(len(task.queries) == (4 if name.startswith("drone") else 2) for name, task in tasks.items())
    assert all(len(task.gallery) == (5 if name.startswith("drone") else 10) for name, task in tasks.items())


@pytest.mark.parametrize("make", [make_sues_downloaded, make_sues_split])
def test_sues_trains_on_all_heights_or_on_chosen_ones(make, tmp_path: Path) -> None:
    found = open_dataset(make(tmp_path))
    assert [c.label for c in found.training_classes()] == [1, 2, 3]
    assert {len(c.drone) for c in found.training_classes()} == {8}
    assert {len(c.drone) for c in found.training_classes((150, 300))} == {4}
    with pytest.raises(TrainingError, match="no images from 120 m; its heights: 150, 200, 250, 300"):
        found.training_classes((120,))


def test_published_split_of_sues() -> None:
    assert len(TRAIN) == 120 and len(TEST) == 80 and not TRAIN & TEST
    assert {1, 2, 7, 9, 200} <= TRAIN and {8, 12, 195} <= TEST


def test_wrong_folders_name_the_right_one(tmp_path: Path) -> None:
    root = make_university(tmp_path / "archive" / "University-Release")
    with pytest.raises(TrainingError, match=f"University-1652 lies in {root}"):
        open_dataset(tmp_path / "archive")
    with pytest.raises(TrainingError, match=f"University-1652 lies in {root}$"):
        open_dataset(root / "train")
    with pytest.raises(TrainingError, match="no such folder"):
        open_dataset(tmp_path / "nowhere")
    touch(tmp_path / "other" / "Trainning")
    with pytest.raises(TrainingError, match="is Trainning/ meant to be Training/"):
        open_dataset(tmp_path / "other")
    (tmp_path / "empty").mkdir()
    with pytest.raises(TrainingError, match="no multi-view data set; expected train/ and test/"):
        open_dataset(tmp_path / "empty")


def test_a_class_in_one_view_only_and_an_empty_class_are_named(tmp_path: Path) -> None:
    root = make_university(tmp_path)
    touch(root / "train/drone/0004", "a.jpeg")
    with pytest.raises(TrainingError, match="training class 0004 has no satellite image"):
        open_dataset(root).training_classes()
    (root / "train/satellite/0004").mkdir()
    with pytest.raises(TrainingError, match="training class 0004 has no satellite image"):
        open_dataset(root).training_classes()


def test_a_query_without_its_place_in_the_gallery_is_named(tmp_path: Path) -> None:
    root = make_university(tmp_path)
    touch(root / "test/query_drone/0020", "a.jpeg")
    with pytest.raises(TrainingError, match="class 0020 of test/query_drone has no image in test/gallery_satellite"):
        open_dataset(root).tasks()


def test_missing_and_misnamed_folders_are_named(tmp_path: Path) -> None:
    root = make_university(tmp_path)
    touch(root / "train/drone/0003_copy", "a.jpeg")
    with pytest.raises(TrainingError, match="0003_copy: the folder of a class is named by a number"):
        open_dataset(root).training_classes()
    (root / "test/query_drone").rename(root / "test/query")
    with pytest.raises(TrainingError, match="query_drone: no such folder"):
        open_dataset(root).tasks()


def test_only_images_count(tmp_path: Path) -> None:
    touch(tmp_path / "0001", "b.JPG", "a.jpeg", "Thumbs.db", "._a.jpeg", "c.tif")
    touch(tmp_path / ".cache", "a.jpeg")
    images = Part("train", View.DRONE, tmp_path).images()
    assert [path.name for path in images[1]] == ["a.jpeg", "b.JPG", "c.tif"] and list(images) == [1]


def test_a_broken_table_of_positions_is_one_line(tmp_path: Path) -> None:
    root = make_university(tmp_path)
    (root / "positions.csv").write_text("split,class,lat,lon\ntrain,1,2,3\n")
    with pytest.raises(TrainingError, match=r"positions\.csv: not a table of"):
        open_dataset(root).positions("train")
    dense = make_dense(tmp_path / "dense")
    (dense / "Dense_GPS_train.txt").write_text("train/drone/000001/H80.JPG E120.1\n")
    with pytest.raises(TrainingError, match=r"Dense_GPS_train\.txt, line 1"):
        open_dataset(dense).positions("train")
    (dense / "Dense_GPS_train.txt").write_bytes(b"\xff\xfet\0r\0")
    with pytest.raises(TrainingError, match=r"Dense_GPS_train\.txt: not UTF-8 text"):
        open_dataset(dense).positions("train")
