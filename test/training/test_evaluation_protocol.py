"""Test splits evaluated from files: both directions, flips, thinning, SDM@K, and the tables written of it."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

from mift_ros.errors import MiftError, TrainingError
from training.checkpoint import save_weights
from training.commands import app
from training.data.multiview.dataset import ImageSet
from training.data.multiview.layout import open_dataset
from training.evaluation.extract import NetworkEncoder, embed_images, open_encoder
from training.evaluation.protocol import (
    DRONE_TO_SATELLITE,
    SATELLITE_TO_DRONE,
    TaskResult,
    embed_tasks,
    evaluate_split,
    thinned,
    thinned_tasks,
)
from training.evaluation.ranking import Ranking
from training.evaluation.report import table, task_row, write_rows
from training.evaluation.sdm import sdm, sdm_of_task
from training.model.config import VARIANTS, MiftConfig
from training.model.mift import Mift

SMALL = MiftConfig("small", 64, (16, 16, 16, 16), (2, 2, 2, 2), (1, 1, 1, 1), 4, (4, 4, 8, 8), 8)
QUERIES, DISTRACTORS, VIEWS = 6, 2, 3


@pytest.fixture(scope="module")
def network() -> Mift:
    torch.manual_seed(0)
    return Mift(SMALL)


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set in which all images of a class are the same picture, with positions 0.0001 degrees apart."""
    root = tmp_path_factory.mktemp("split")
    rng = np.random.default_rng(0)
    lines = ["split,class,latitude_deg,longitude_deg"]
    for label in range(QUERIES + DISTRACTORS):
        picture = cv2.resize(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8), (64, 64), interpolation=cv2.INTER_NEAREST)
        for folder, count in (("satellite", 1), ("drone", VIEWS)):
            for role in ("query", "gallery") if label < QUERIES else ("gallery",):
                place = root / "test" / f"{role}_{folder}" / f"{label:04d}"
                place.mkdir(parents=True)
                for view in range(count):
                    cv2.imwrite(str(place / f"{view}.png"), picture)
        lines.append(f"test,{label},{40.0 + label * 1e-4:.6f},0.0")
    (root / "positions.csv").write_text("\n".join(lines))
    return root


@pytest.fixture
def weights(network: Mift, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(VARIANTS, "small", SMALL)
    save_weights(tmp_path / "weights.safetensors", network, "untrained")
    return tmp_path / "weights.safetensors"


def test_equal_pictures_of_a_class_are_found_both_ways(network: Mift, split: Path) -> None:
    result = evaluate_split(network, split)
    assert [task.name for task in result.tasks] == [DRONE_TO_SATELLITE, SATELLITE_TO_DRONE]
    sizes = [(len(task.ranking.first_rank), task.ranking.gallery) for task in result.tasks]
    places = QUERIES + DISTRACTORS
    assert sizes == [(QUERIES * VIEWS, places), (QUERIES, places * VIEWS)]
    for direction in (DRONE_TO_SATELLITE, SATELLITE_TO_DRONE):
        assert result.recall_at(1, direction) == result.mean_ap(direction) == 1.0


@pytest.mark.parametrize("training", [True, False])
def test_evaluating_leaves_the_network_in_its_mode(network: Mift, split: Path, training: bool) -> None:
    network.train(training)
    evaluate_split(network, split, queries=2)
    assert network.training is training


def test_each_file_is_embedded_once_and_a_batch_as_single_images(network: Mift, split: Path) -> None:
    encoder = NetworkEncoder(network)
    tasks = open_dataset(split).tasks()
    embedded = embed_tasks(encoder, tasks, flip=False)
    files = {path for task in tasks for images in (task.queries, task.gallery) for path in images.files}
    assert embedded.row.keys() == files and len(embedded.embeddings) == len(files)
    for path in list(files)[:3]:
        image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)[None]
        torch.testing.assert_close(embedded.embeddings[embedded.row[path]][None], encoder.embed(image))


def test_flip_average_is_the_same_for_an_image_and_its_mirror_image(network: Mift) -> None:
    encoder = NetworkEncoder(network)
    images = np.random.default_rng(1).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    mirrored = np.ascontiguousarray(images[:, :, ::-1])
    assert not torch.allclose(embed_images(encoder, images, False), embed_images(encoder, mirrored, False))
    averaged = embed_images(encoder, images, True)
    torch.testing.assert_close(averaged, embed_images(encoder, mirrored, True))
    torch.testing.assert_close(averaged.norm(dim=1), torch.ones(3))


def test_checkpoint_gives_the_embeddings_of_its_network(network: Mift, weights: Path) -> None:
    images = np.random.default_rng(2).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    loaded = open_encoder(str(weights))
    assert loaded.size == 64
    torch.testing.assert_close(loaded.embed(images).cpu(), NetworkEncoder(network).embed(images))


def test_packaged_model_is_evaluated_by_its_name(split: Path) -> None:
    encoder = open_encoder("mift_nano")
    task = thinned_tasks(open_dataset(split).tasks(), 2, 0)[0]
    queries, labels = embed_tasks(encoder, (task,), flip=False).of(task.queries)
    assert queries.shape == (2, 256) and labels.tolist() == task.queries.labels.tolist()


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.integers(1, 40), st.integers(0, 9))
def test_thinning_takes_classes_evenly_and_keeps_the_order(labels: list[int], most: int, seed: int) -> None:
    images = ImageSet(tuple(Path(str(i)) for i in range(len(labels))), np.array(sorted(labels), np.int64))
    kept = thinned(images, most, seed)
    assert len(kept) == min(most, len(images))
    rows = [int(path.name) for path in kept.files]
    assert rows == sorted(set(rows)) and kept.labels.tolist() == images.labels[rows].tolist()
    taken = np.bincount(kept.labels, minlength=6)
    given_ = np.bincount(images.labels, minlength=6)
    for label in np.flatnonzero(taken < given_):
        assert taken[label] >= taken.max() - 1
    assert kept.files == thinned(images, most, seed).files


def test_thinned_galleries_keep_an_image_of_every_class(split: Path) -> None:
    for task in thinned_tasks(open_dataset(split).tasks(), 2, 0):
        assert len(task.queries) == 2 and len(task.gallery) == QUERIES + DISTRACTORS
        assert set(task.gallery.labels.tolist()) == set(range(QUERIES + DISTRACTORS))


def test_sdm_by_hand() -> None:
    query = np.array([[30.0, 120.0]], np.float32)
    # 2^-11 and 2^-12 degrees are exact in single precision here.
    ranked = np.array([[[30.0 + 2**-11, 120.0], [30.0, 120.0], [30.0, 120.0 + 2**-12]]], np.float32)
    near, far = math.exp(-5e3 * 2**-12), math.exp(-5e3 * 2**-11)
    assert sdm(query, ranked[:, :1])[0] == pytest.approx(far)
    assert sdm(query, ranked[:, :2])[0] == pytest.approx((far + 0.5) / 1.5)
    assert sdm(query, ranked)[0] == pytest.approx((far + 2 / 3 + near / 3) / 2)


def test_sdm_beyond_the_gallery_takes_all_of_it(network: Mift, split: Path) -> None:
    dataset = open_dataset(split)
    task = dataset.tasks()[0]
    embedded = embed_tasks(NetworkEncoder(network), (task,), flip=False)
    found = sdm_of_task(task, embedded, dataset.positions("test"))
    assert list(found) == [1, 3, 5, 10] and found[1] == pytest.approx(1.0)
    assert 0.0 < found[10] < found[1]


def test_sdm_needs_every_position(network: Mift, split: Path) -> None:
    task = open_dataset(split).tasks()[0]
    embedded = embed_tasks(NetworkEncoder(network), (task,), flip=False)
    with pytest.raises(TrainingError, match="class 000001 has no position"):
        sdm_of_task(task, embedded, {0: (40.0, 0.0)})


def test_evaluate_prints_both_directions_and_writes_them(weights: Path, split: Path, tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    arguments = ["evaluate", str(weights), "--data", str(split), "--sdm", "--images", "6", "--out", str(out)]
    printed = CliRunner().invoke(app, arguments, catch_exceptions=False).output
    for text in (DRONE_TO_SATELLITE, SATELLITE_TO_DRONE, "without flip", "thinned to 6", "trapezoid", "Eq. 6", "SDM@5"):
        assert text in printed
    rows = json.loads(out.read_text())
    assert [row["task"] for row in rows] == [DRONE_TO_SATELLITE, SATELLITE_TO_DRONE]
    assert rows[0]["R@1"] == rows[0]["SDM@1"] == 100.0 and rows[0]["queries"] == 6


def test_figures_are_written_as_csv_too(tmp_path: Path) -> None:
    write_rows(
        [{"task": "a", "R@1": 12.5, "queries": 3}, {"task": "b", "R@1": 100.0, "queries": 4}], tmp_path / "f.csv"
    )
    with (tmp_path / "f.csv").open() as file:
        assert list(csv.reader(file)) == [["task", "R@1", "queries"], ["a", "12.5", "3"], ["b", "100.0", "4"]]
    assert [path.name for path in tmp_path.iterdir()] == ["f.csv"]


def test_the_table_of_an_evaluation_fits_80_characters() -> None:
    ranking = Ranking(np.zeros(37855, np.int64), np.ones(1), np.ones(1), 51355)
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(table([task_row(TaskResult(DRONE_TO_SATELLITE, ranking))], "University-1652, %"))
    text = console.export_text()
    for value in ("drone->satellite", "100.00", "37,855", "51,355", "gallery"):
        assert value in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.safetensors", "--data", "SPLIT"], "none.safetensors"),
        (["none.onnx", "--data", "SPLIT"], "no such model file"),
        (["mift_nano", "--data", "EMPTY"], "no multi-view data set.*orthophotos.*--recipe"),
        (["mift_nano", "--data", "SPLIT", "--out", "EMPTY/figures.txt"], "written is .csv or .json"),
        (["mift_nano", "--data", "SPLIT", "--set", "seed=1"], "give the recipe"),
        (["mift_nano", "--data", "SPLIT", "--recipe", "r.yaml", "--sdm"], "--sdm is for multi-view sets"),
        (["mift_nano", "--data", "SPLIT", "--out", "EMPTY/none/figures.csv"], "no such folder"),
    ],
)
def test_what_cannot_be_evaluated_is_said_in_one_line(
    arguments: list[str], message: str, split: Path, tmp_path: Path
) -> None:
    filled = [text.replace("SPLIT", str(split)).replace("EMPTY", str(tmp_path)) for text in arguments]
    with pytest.raises(MiftError, match=message) as raised:
        CliRunner().invoke(app, ["evaluate", *filled], catch_exceptions=False)
    assert "\n" not in str(raised.value)


def test_damaged_image_of_a_split_is_named(network: Mift, tmp_path: Path) -> None:
    for folder in ("query_drone", "query_satellite", "gallery_drone", "gallery_satellite"):
        (tmp_path / "test" / folder / "0001").mkdir(parents=True)
        (tmp_path / "test" / folder / "0001" / "0.jpg").write_bytes(b"\xff\xd8 no image")
    with pytest.raises(TrainingError, match=r"0001/0\.jpg"):
        evaluate_split(network, tmp_path)
