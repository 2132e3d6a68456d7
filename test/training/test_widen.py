"""A wide network that begins with the function of a narrow one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from mift_ros.errors import TrainingError
from mift_ros.inference.load import load_embedder
from training.checkpoint import save_weights
from training.loop.initial import load_initial
from training.loop.preprocess import normalise
from training.loop.trainer import train
from training.model.build import build_network
from training.model.config import VARIANTS, MiftConfig
from training.model.mift import Mift
from training.model.network import Network
from training.model.widen import widen
from training.recipes.schema import NetworkSpec, Recipe

NARROW = MiftConfig("tiny", 64, (16, 16, 24, 32), (2, 2, 2, 2), (1, 2, 3, 2), 4, (4, 4, 8, 8), 8, grid=2)
WIDE = replace(
    NARROW, variant="wide", dims=(16, 32, 72, 64), heads=(1, 4, 9, 4), depths=(2, 4, 2, 4),
    fusion_widths=(4, 7, 12, 21), head_dim=16,
)  # fmt: skip


def trained(config: MiftConfig) -> Network:
    """A network whose normalisations are not what they are at first."""
    torch.manual_seed(3)
    network = Mift(config)
    for module in network.modules():
        if isinstance(module, (torch.nn.LayerNorm, _BatchNorm)):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
        if isinstance(module, _BatchNorm):  # what it sees from now on
            module.momentum = 1.0
    network(views())
    return network


def views() -> torch.Tensor:
    """Six images of 4 x 4 coloured cells, always the same."""
    cells = torch.randn(6, 3, 4, 4, generator=torch.Generator().manual_seed(4))
    return torch.nn.functional.interpolate(cells, 64)


def cosines(network: Network, images: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        embeddings = network(images)
    similarities: torch.Tensor = embeddings @ embeddings.T
    return similarities


@pytest.mark.parametrize("training", [False, True])
def test_the_wide_network_finds_alike_what_the_narrow_one_does(training: bool) -> None:
    narrow, wide = trained(NARROW), Mift(WIDE)
    widen(narrow, wide)
    expected = cosines(narrow.train(training), views())
    assert expected.std() > 0.1
    torch.testing.assert_close(cosines(wide.train(training), views()), expected, atol=1e-5, rtol=0.0)


def test_copies_part_in_training_and_new_layers_learn() -> None:
    wide = Mift(WIDE)
    widen(trained(NARROW), wide)
    hidden = wide.get_parameter("stages.1.1.mlp.0.bias")
    assert torch.equal(hidden[0::2], hidden[1::2])
    optimizer = torch.optim.AdamW(wide.parameters(), 0.01)
    for _ in range(3):
        optimizer.zero_grad()
        wide(views()).sum().backward()
        optimizer.step()
    assert (hidden[0::2] != hidden[1::2]).all()
    assert (wide.get_parameter("stages.1.4.mlp.2.weight") != 0.0).all()


def test_a_packaged_model_is_widened_to_another_variant() -> None:
    network = build_network("mift_s", changes=NetworkSpec(grid=2, input_size=128, group=8))
    assert load_initial(Path("mift_nano"), network) == []
    images = np.random.default_rng(0).integers(0, 256, (4, 128, 128, 3), dtype=np.uint8)
    flown = load_embedder("mift_nano").embed(images)
    found = cosines(network.eval(), normalise(torch.from_numpy(images)))
    torch.testing.assert_close(found, torch.from_numpy(flown @ flown.T), atol=1e-4, rtol=0.0)


def test_a_run_begins_with_the_weights_of_a_narrower_one(
    textures: Path, tiny_recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(VARIANTS, "tiny", NARROW)
    monkeypatch.setitem(VARIANTS, "wide", replace(WIDE, input_size=96, group=3))
    train(tiny_recipe, textures, tmp_path / "narrow")
    start = tmp_path / "narrow" / "weights.safetensors"
    assert train(replace(tiny_recipe, variant="wide"), textures, tmp_path / "wide", init=start)


@pytest.mark.parametrize(
    ("wide", "words"),
    [
        (replace(WIDE, grid=0), "only MIFT with GLRA, MFF and a grid of branches"),
        (replace(WIDE, grid=1), "another network.grid or other network.kernels"),
        (replace(WIDE, dims=(16, 32, 64, 64), heads=(1, 4, 8, 4)), r"dims \[16, 32, 64, 64\] are not multiples"),
        (replace(WIDE, head_dim=12), r"network.head_dim \[12\] are not multiples of \[8\]"),
        (replace(WIDE, heads=(1, 2, 9, 4)), "their heads of attention have other widths"),
        (replace(WIDE, depths=(2, 2, 2, 0)), "fewer layers or fusion channels"),
        (replace(WIDE, fusion_widths=(4, 4, 8, 7)), "fewer layers or fusion channels"),
    ],
)
def test_what_finds_no_place_is_told(wide: MiftConfig, words: str, tmp_path: Path) -> None:
    save_weights(tmp_path / "tiny.safetensors", Mift(NARROW), "a recipe")
    with pytest.raises(TrainingError, match=rf"tiny\.safetensors: tiny cannot be widened to wide: .*{words}") as caught:
        load_initial(tmp_path / "tiny.safetensors", Mift(wide))
    assert "\n" not in str(caught.value)
