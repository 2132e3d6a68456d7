"""`mift train data check`: what each kind of damage is called, and when a set may be used."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from mift_ros.errors import TrainingError
from training.data.multiview import check_images
from training.data.multiview.check import Severity, check_dataset
from training.data.multiview.check_report import print_report
from training.data.multiview.layout import open_dataset
from training.data.multiview.sues import HEIGHTS_M, TEST, TRAIN
from training.data_commands import data_app

POSITIONS = ["split,class,latitude_deg,longitude_deg", "train,1,50,4", "train,2,50,4.1", "test,8,51,4", "test,9,51,4.1"]


def write(path: Path, side: int = 64) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((side, side, 3), 90, np.uint8))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A whole set of two training classes, one query and one distractor, with positions, hence of no published size."""
    folder = tmp_path / "set"
    for part, label in (("train", 1), ("train", 2), ("test/query", 8), ("test/gallery", 8), ("test/gallery", 9)):
        separator = "/" if part == "train" else "_"
        write(folder / f"{part}{separator}satellite/{label:04d}/{label:04d}.jpg")
        for index in range(3):
            write(folder / f"{part}{separator}drone/{label:04d}/image-{index:02d}.jpeg")
    (folder / "positions.csv").write_text("\n".join(POSITIONS))
    return folder


def findings(root: Path, deep: bool = False) -> list[tuple[Severity, str]]:
    report = check_dataset(open_dataset(root), deep)
    return [(finding.severity, finding.text.replace(f"{root}/", "")) for finding in report.findings]


def test_a_whole_set_has_no_findings(root: Path) -> None:
    report = check_dataset(open_dataset(root))
    assert report.findings == () and report.decoded == 20
    assert [(c.part.name, c.classes, len(c.files)) for c in report.contents][:2] == [
        ("train/satellite", 2, 2),
        ("train/drone", 2, 6),
    ]


def remove(path: str) -> Callable[[Path], None]:
    return lambda root: shutil.rmtree(root / path)


def rename(old: str, new: str) -> Callable[[Path], None]:
    return lambda root: (root / old).rename(root / new) and None


def empty(path: str) -> Callable[[Path], None]:
    return lambda root: [file.unlink() for file in (root / path).iterdir()] and None


def deeper(root: Path) -> None:
    (root / "train/drone").rename(root / "drone")
    (root / "train/drone").mkdir()
    (root / "drone").rename(root / "train/drone/drone")


ERRORS = [
    (remove("test/query_drone"), "test/query_drone is missing"),
    (rename("train/satellite", "train/satelite"), "train/satellite is missing; is train/satelite meant by it?"),
    (rename("test", "tests"), "test/query_drone is missing; is tests meant by it?"),
    (deeper, "train/drone/drone holds class folders itself: move them up one level"),
    (rename("train/drone/0002", "train/drone/0002 (copy)"), "train/drone/0002 (copy) is not named by a number"),
    (remove("train/satellite/0002"), "training classes without satellite images: 0002"),
    (empty("train/drone/0001"), "training classes without drone images: 0001"),
    (empty("test/query_drone/0008"), "empty classes in test/query_drone: 0008"),
    (empty("test/query_drone/0008"), "test/query_drone has no images"),
    (remove("test/gallery_satellite/0008"), "classes of test/query_drone are not in test/gallery_satellite: 0008"),
    (lambda root: write(root / "test/query_drone/0030/a.jpg"), "not in test/gallery_satellite: 0030"),
]


@pytest.mark.parametrize(("damage", "words"), ERRORS)
def test_what_stops_training_or_evaluation_is_an_error(damage, words: str, root: Path) -> None:
    damage(root)
    assert any(severity is Severity.ERROR and words in text for severity, text in findings(root))


def test_a_missing_folder_is_not_taken_for_another_of_the_set(root: Path) -> None:
    shutil.rmtree(root / "test/gallery_drone")
    assert (Severity.ERROR, "test/gallery_drone is missing") in findings(root)


WARNINGS = [
    (empty("test/gallery_drone/0009"), "empty classes in test/gallery_drone: 0009"),
    (lambda root: write(root / "train/drone/0001/z.jpeg", 80), "1 of 7 images looked at are not 64 x 64 but 80 x 80"),
    (lambda root: write(root / "test/gallery_satellite/0031/a.jpg"), "test classes without position: 0031"),
    (lambda root: (root / "positions.csv").write_text(POSITIONS[0]), "has no positions of its train classes"),
]


@pytest.mark.parametrize(("damage", "words"), WARNINGS)
def test_what_differs_but_does_not_stop_is_a_warning(damage, words: str, root: Path) -> None:
    damage(root)
    found = findings(root)
    assert any(words in text for _, text in found)
    assert all(severity is Severity.WARNING for severity, _ in found)


@pytest.mark.parametrize("deep", [False, True])
def test_damaged_images_are_named(deep: bool, root: Path) -> None:
    for index in range(2):
        (root / f"train/drone/0001/image-{index:02d}.jpeg").write_bytes(b"\xff\xd8\xff cut")
    [(severity, text)] = findings(root, deep)
    assert (
        severity is Severity.ERROR and text.startswith("damaged images: ") and "train/drone/0001/image-00.jpeg" in text
    )


def test_a_sample_is_decoded_unless_all_are_asked_for(root: Path) -> None:
    for index in range(60):
        write(root / f"train/drone/0001/{index}.jpg", 8)
    dataset = open_dataset(root)
    assert check_dataset(dataset).decoded == 2 + 50 + 1 + 3 + 2 + 6
    assert check_dataset(dataset, deep=True).decoded == 80


def test_counts_are_compared_with_the_published_ones(root: Path) -> None:
    (root / "positions.csv").unlink()
    texts = [text for _, text in findings(root)]
    assert "train/drone has 2 classes with 6 images; the authors count 701 with 37,854" in texts
    assert "test/gallery_drone has 2 classes with 6 images; the authors count 951 with 51,355" in texts
    assert any("are not 512 x 512 but 64 x 64" in text for text in texts)


def test_each_part_of_sues_is_counted_by_the_published_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_images, "SAMPLE", 2)
    picture = tmp_path / "picture.png"
    write(picture, 512)
    for place in sorted(TRAIN | TEST):
        (tmp_path / f"satellite-view/{place:04d}").mkdir(parents=True)
        (tmp_path / f"satellite-view/{place:04d}/0.png").symlink_to(picture)
        for height in HEIGHTS_M:
            (tmp_path / f"drone_view_512/{place:04d}/{height}").mkdir(parents=True)
            for index in range(50 if place == 1 else 1):
                (tmp_path / f"drone_view_512/{place:04d}/{height}/{index}.jpg").symlink_to(picture)
    found = findings(tmp_path)
    assert [severity for severity, _ in found] == [Severity.WARNING] * 12
    assert not any("satellite-view" in text for _, text in found)
    assert "drone_view_512/*/150 (training) has 120 classes with 169 images; the authors count 120 with 6,000" in {
        text for _, text in found
    }


def test_many_classes_are_counted_and_the_first_named(root: Path) -> None:
    for label in range(100, 120):
        (root / f"train/drone/{label:04d}").mkdir()
    text = next(text for _, text in findings(root) if "without satellite" in text)
    assert text == "training classes without satellite images: 0100, 0101, 0102, 0103, 0104 and 15 more"


def test_the_report_is_a_table_and_a_line_per_finding(root: Path) -> None:
    shutil.rmtree(root / "test/query_drone")
    console = Console(file=io.StringIO(), width=200)
    print_report(check_dataset(open_dataset(root)), console)
    printed = console.file.getvalue()
    assert "multi-view set with positions in" in printed and "all images decoded" in printed
    assert any("test/query_drone" in line and "missing" in line and "│" in line for line in printed.splitlines())
    assert f"error: {root}/test/query_drone is missing" in printed


def test_the_command_succeeds_or_ends_with_one_line(root: Path) -> None:
    result = CliRunner().invoke(data_app, ["check", str(root)])
    assert result.exit_code == 0 and "ready to train on and to evaluate" in result.output
    shutil.rmtree(root / "train/drone/0002")
    result = CliRunner().invoke(data_app, ["check", str(root), "--deep"])
    assert isinstance(result.exception, TrainingError)
    assert str(result.exception) == f"{root}: not usable as it is: training classes without drone images: 0002"
