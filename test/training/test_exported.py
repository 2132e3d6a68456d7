"""An exported model is a beginning for training: its weights come back, and do what the file does."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from export.half import to_half
from export.onnx import to_onnx
from mift_ros.errors import TrainingError
from mift_ros.inference.embedder import METADATA_KEY
from mift_ros.inference.onnx import OnnxEmbedder
from training.checkpoint import identify, load_weights
from training.loop.initial import load_initial
from training.loop.preprocess import normalise
from training.loop.settle import settle
from training.loop.trainer import train
from training.model.build import build_network
from training.model.network import Network
from training.recipes.schema import NetworkSpec, Recipe

IMAGES = torch.from_numpy(np.random.default_rng(3).integers(0, 256, (12, 64, 64, 3), dtype=np.uint8))


def trained(changes: NetworkSpec | None = None) -> Network:
    """A network whose batch normalisations and biases have seen something."""
    torch.manual_seed(4)
    network = build_network("tiny", changes=changes)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.2)
    network.train()(normalise(IMAGES))
    return network.eval()


def exported(network: Network, path: Path) -> Path:
    onnx.save(to_onnx(network, identify(network, "a recipe")), path)
    return path


def embed(network: Network) -> torch.Tensor:
    with torch.no_grad():
        return network(normalise(IMAGES))  # type: ignore[no-any-return]


@pytest.mark.parametrize("changes", [NetworkSpec(), NetworkSpec(grid=2), NetworkSpec(regions=1)], ids=str)
def test_the_weights_come_back(tiny_recipe: Recipe, tmp_path: Path, changes: NetworkSpec) -> None:
    original, again = trained(changes), build_network("tiny", changes=changes)
    assert load_initial(exported(original, tmp_path / "tiny.onnx"), again) == []
    torch.testing.assert_close(embed(again), embed(original), atol=1e-5, rtol=0.0)
    own, before = again.state_dict(), original.state_dict()
    for name in ("stages.0.0.projections.3.weight", "stages.2.1.attention.bias.table", "stages.3.2.mlp.2.weight"):
        torch.testing.assert_close(own[name], before[name], msg=name)
    queries = "stages.1.1.attention.attention.qkv.weight"
    torch.testing.assert_close(own[queries], before[queries])


def test_the_shipped_weights_can_be_trained_on() -> None:
    network = build_network("mift_nano", changes=NetworkSpec(grid=2))
    assert load_initial(Path("mift_nano"), network) == []
    assert not network.training


def test_settled_the_network_does_the_same_in_evaluation_and_in_training(tiny_recipe: Recipe, tmp_path: Path) -> None:
    network = build_network("tiny")
    load_initial(exported(trained(), tmp_path / "tiny.onnx"), network)
    before, unsettled = embed(network), embed(copy.deepcopy(network).train())
    settle(network, normalise(IMAGES))
    torch.testing.assert_close(embed(network), before, atol=1e-5, rtol=0.0)
    torch.testing.assert_close(embed(network.train()), before, atol=1e-4, rtol=0.0)
    assert (unsettled - before).abs().max() > 0.01


def test_a_run_begins_with_what_the_file_does(textures: Path, tiny_recipe: Recipe, tmp_path: Path) -> None:
    file = exported(trained(), tmp_path / "tiny.onnx")
    frozen = replace(tiny_recipe, steps=1, optimizer=replace(tiny_recipe.optimizer, learning_rate=1e-30, ema_decay=0.0))
    train(frozen, textures, tmp_path / "run", init=file)
    after = load_weights(tmp_path / "run" / "weights.safetensors")
    expected = torch.from_numpy(OnnxEmbedder(file).embed(IMAGES.numpy()))
    torch.testing.assert_close(embed(after), expected, atol=1e-3, rtol=0.0)  # statistics have moved by a tenth


def test_what_is_not_the_recipes_network_in_float32_is_refused(tiny_recipe: Recipe, tmp_path: Path) -> None:
    file = exported(trained(), tmp_path / "tiny.onnx")
    with pytest.raises(TrainingError, match=r"tiny\.onnx: tiny of another recipe or version: it has no .*grid_heads"):
        load_initial(file, build_network("tiny", changes=NetworkSpec(grid=2)))
    with pytest.raises(TrainingError, match=r"tiny\.onnx: tiny cannot be widened to mift_pico"):
        load_initial(file, build_network("mift_pico"))
    half = to_half(onnx.load(file))
    onnx.helper.set_model_props(
        half, {METADATA_KEY: replace(identify(trained(), "a recipe"), precision="fp16").to_json()}
    )
    onnx.save(half, tmp_path / "half.onnx")
    with pytest.raises(TrainingError, match=r"half\.onnx: is fp16; begin with the float32 model"):
        load_initial(tmp_path / "half.onnx", build_network("tiny"))
    (tmp_path / "cut.onnx").write_bytes(file.read_bytes()[:1000])
    with pytest.raises(TrainingError, match=r"cut\.onnx: not a complete ONNX model"):
        load_initial(tmp_path / "cut.onnx", build_network("tiny"))
    with pytest.raises(TrainingError, match=r"none\.onnx: no such model file"):
        load_initial(tmp_path / "none.onnx", build_network("tiny"))
