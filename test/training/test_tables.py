"""The paper's tables as experiments: their rows, their budget, and a small run from beginning to end."""

from __future__ import annotations

import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from rich.console import Console  # noqa: E402

from mift_ros.errors import TrainingError  # noqa: E402
from training.checkpoint import load_weights, save_weights  # noqa: E402
from training.loop.interrupt import Interrupt  # noqa: E402
from training.loop.state import STATE_FILE, read_state_file  # noqa: E402
from training.model.build import build_network  # noqa: E402
from training.model.config import VARIANTS, MiftConfig  # noqa: E402
from training.recipes.reader import load_recipe  # noqa: E402
from training.tables import compare as comparison  # noqa: E402
from training.tables import runner as running  # noqa: E402
from training.tables.budget import fit  # noqa: E402
from training.tables.paper import ROWS, TABLES, Experiment, Figures, PaperTable  # noqa: E402
from training.tables.runner import RECIPES, Settings, images_a_step, planned  # noqa: E402
from training.tables.trunk import keep_stages  # noqa: E402

TINY = MiftConfig("tiny", 64, (16, 16, 16, 16), (2, 2, 2, 2), (1, 1, 1, 1), 4, (4, 4, 8, 8), 8)
CHANGES = ("variant=tiny", "precision=float32", "workers=0", "evaluation.every_steps=1000")
TWO = PaperTable(
    "Two rows",
    (
        Experiment(
            "LPN", "paper", ("method=lpn", "loss={identity: 4.0}", "batch.classes=4", "batch.per_class=1"),
            Figures(75.93, 79.14, 86.45, 74.79),
        ),
        Experiment("MIFT", "infonce", (), None),
    ),
)  # fmt: skip


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VARIANTS, "tiny", TINY)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four training and three test classes of coloured rectangles in the layout of University-1652."""
    root, rng = tmp_path_factory.mktemp("places"), np.random.default_rng(0)
    for label in range(7):
        views = ("train/satellite", "train/drone")
        if label >= 4:
            views = tuple(f"test/{kind}_{view}" for kind in ("query", "gallery") for view in ("satellite", "drone"))
        image = np.full((64, 64, 3), rng.integers(0, 256, 3), np.uint8)
        cv2.rectangle(image, (10, 10), (40, 30 + label), rng.integers(0, 256, 3).tolist(), cv2.FILLED)
        for view in views:
            folder = root / view / f"{label:04d}"
            folder.mkdir(parents=True)
            for number in range(3 if view.endswith("drone") else 1):
                cv2.imwrite(str(folder / f"{number}.jpeg"), image)
    return root


@pytest.fixture
def two_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TABLES, "two", TWO)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "stages.safetensors"
    save_weights(path, build_network("tiny"), "test")
    return path


def shown(names: list[str], given: Settings, data: Path, out: Path) -> str:
    text = io.StringIO()
    assert comparison.compare(names, given, data, out, Console(file=text, width=200))
    return text.getvalue()


@pytest.mark.usefixtures("two_rows")
def test_two_rows_run_beside_the_papers_figures_and_are_not_run_again(
    places: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    given, out = Settings(CHANGES, images=16, seeds=2, initial=weights), tmp_path / "out"
    text = shown(["two"], given, places, out)
    assert all(
        part in text
        for part in ("LPN, seed 1: 2 steps of 8 images", "MIFT, seed 0: 2 steps of 8", "75.93", "74.79", " ± ")
    )
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))["tables"]["two"]
    runs = [(row["label"], run["seed"], run["images"], run["steps"]) for row in results for run in row["runs"]]
    assert runs == [("LPN", 0, 16, 2), ("LPN", 1, 16, 2), ("MIFT", 0, 16, 2), ("MIFT", 1, 16, 2)]
    assert results[0]["paper"]["drone_r1"] == 75.93 and results[1]["paper"] is None
    assert "| LPN |" in (out / "results.md").read_text(encoding="utf-8")

    monkeypatch.setattr(running, "train", None)
    again = shown(["two"], given, places, out)
    assert "steps of" not in again and "75.93" in again


@pytest.mark.usefixtures("two_rows")
def test_an_interrupted_comparison_says_so_and_goes_on(
    places: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    given = Settings(CHANGES, images=32, initial=weights)
    with monkeypatch.context() as patch:
        patch.setattr(Interrupt, "requested", property(lambda _: True, lambda *_: None), raising=False)
        assert not comparison.compare(["two"], given, places, tmp_path, Console(file=io.StringIO()))
        (state,) = tmp_path.glob(f"runs/*/{STATE_FILE}")
        assert read_state_file(state)["step"] == 1
        assert not comparison.compare(["two"], given, places, tmp_path, Console(file=io.StringIO()))
        assert read_state_file(state)["step"] == 2
    shown(["two"], given, places, tmp_path)
    assert read_state_file(state)["step"] == 4
    (finished,) = state.parent.glob(running.RESULT_FILE)
    train_s = running.read_result(finished, "LPN").train_s
    assert train_s == read_state_file(state)["trained_s"]


def test_a_damaged_result_is_named(tmp_path: Path):
    (tmp_path / "result.json").write_text("{", encoding="utf-8")
    with pytest.raises(TrainingError, match="damaged; delete the folder"):
        running.read_result(tmp_path / "result.json", "LPN")


def test_no_head_is_taken_over_from_the_common_trunk(tmp_path: Path):
    recipe = load_recipe(RECIPES / "common_trunk.yaml", ("variant=tiny",))
    torch.manual_seed(5)
    trained = build_network("tiny", "instance")
    save_weights(tmp_path / "weights.safetensors", trained, "common_trunk")
    keep_stages(tmp_path / "weights.safetensors", tmp_path / "trunk.safetensors", recipe)
    trunk = load_weights(tmp_path / "trunk.safetensors")
    kept = {name for name, value in trunk.state_dict().items() if torch.equal(value, trained.state_dict()[name])}
    assert {name for name, _ in trained.stages.named_parameters(prefix="stages")} <= kept
    assert "head.0.weight" not in kept


def test_every_row_of_every_table_is_a_valid_recipe_that_builds():
    for table in TABLES.values():
        for row in table.experiments:
            recipe = planned(row, Settings(("variant=mift_pico",), images=4800), 100)
            build_network(recipe.variant, recipe.method, recipe.network)


def test_all_rows_but_infonces_see_as_many_images_a_step():
    for name, table in TABLES.items():
        sizes = [images_a_step(planned(row, Settings(), 701)) for row in table.experiments if row.recipe == "paper"]
        assert all(abs(size - 2 * ROWS) <= 2 for size in sizes), name


def test_the_rows_of_table_7_are_its_sampling_numbers():
    recipes = [planned(row, Settings(), 701) for row in TABLES["k"].experiments]
    assert [(r.batch.per_class, r.batch.classes) for r in recipes] == [(1, 24), (2, 12), (3, 8), (4, 6), (5, 5)]


def test_a_budget_keeps_the_milestones_of_the_paper_at_half_and_three_fifths():
    recipe = fit(load_recipe(RECIPES / "paper.yaml"), images=48 * 260, classes=100)
    assert (recipe.steps, recipe.epochs, recipe.schedule.milestones) == (
        260,
        0,
        (10, 12),
    )  # 13 steps an epoch, 20 of them


def test_a_budget_shortens_the_memory_of_the_average_and_the_batch_to_the_classes():
    full = load_recipe(RECIPES / "infonce.yaml")
    steps = full.epochs * 6
    recipe = fit(full, images=2 * 100 * 360, classes=100)
    assert (recipe.steps, recipe.batch.classes) == (360, 100)
    memory, full_memory = 1 / (1 - recipe.optimizer.ema_decay), 1 / (1 - full.optimizer.ema_decay)
    assert memory == pytest.approx(full_memory * 360 / steps)
    assert recipe.schedule.warmup_steps == round(full.schedule.warmup_steps * 360 / steps)


def test_tables_are_chosen_by_name():
    assert comparison.chosen(" k, regions") == ["k", "regions"]
    assert comparison.chosen("") == list(TABLES)
    with pytest.raises(TrainingError, match="--only kernel: choose among methods, k, kernels"):
        comparison.chosen("kernel")


def test_quick_means_a_small_trunk_and_few_images():
    given = comparison.settings(True, None, 3, ("workers=1",), None)
    assert (given.images, given.seeds) == (2 * ROWS * comparison.QUICK_STEPS, 3)
    assert given.changes[0] == "variant=mift_pico" and given.changes[-1] == "workers=1"
    assert comparison.settings(False, None, 1, (), None).images == 0
    assert comparison.settings(False, 10, 1, (), None).images == 20 * ROWS
