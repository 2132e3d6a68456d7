"""How many images the stages take at once."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from training.loop.objective import CPU_CHUNK, MOST_GROUPS, Objective
from training.losses.combined import CrossViewLoss
from training.model.attention import SelfAttention
from training.model.build import build_network
from training.recipes.schema import LossSpec, NetworkSpec


@pytest.mark.parametrize("variant", ["mift_s", "mift_nano", "mift_pico"])
@pytest.mark.parametrize("attention", ["glra", "mha"])
def test_a_gpu_gets_no_more_attention_groups_at_once_than_its_kernels_take(variant: str, attention: str) -> None:
    network = build_network(variant, "mift", NetworkSpec(attention=attention)).eval()
    groups = [0]

    def count(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        groups.append(len(inputs[0]))

    for module in network.modules():
        if isinstance(module, SelfAttention):
            module.register_forward_pre_hook(count)
    with torch.no_grad():
        network.features(torch.zeros(1, 3, network.config.input_size, network.config.input_size))
    objective = Objective(network, CrossViewLoss(LossSpec(infonce=1.0), 1, 8, 0), "float32")
    images = objective.images_at_once(torch.device("cuda"))
    assert images * max(groups) <= MOST_GROUPS
    assert images >= 1000
    assert objective.images_at_once(torch.device("cpu")) == CPU_CHUNK
