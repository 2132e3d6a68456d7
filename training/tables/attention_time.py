"""Table 8: time of the same network with each kind of attention."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, replace

import torch

from mift_ros.errors import TrainingError
from training.model.config import AttentionKind, MiftConfig
from training.model.cost import cost
from training.model.mift import Mift

PAPER_SECONDS = {AttentionKind.MHA: 16, AttentionKind.PVT: 14, AttentionKind.SWIN: 12, AttentionKind.GLRA: 12}
"""Table 8: 10 images; hardware and everything around the network are the authors'."""


@dataclass(frozen=True)
class AttentionTime:
    """One row: flops of one image, median seconds of all images of a round."""

    kind: AttentionKind
    parameters: int
    flops: int
    seconds: float


def time_attention(config: MiftConfig, images: int, rounds: int, device: torch.device) -> list[AttentionTime]:
    """Embed `images` images one after another with each kind; rounds alternate between kinds, and one comes untimed."""
    networks = {kind: Mift(replace(config, attention=kind)).eval() for kind in PAPER_SECONDS}
    totals = {kind: cost(network)[-1] for kind, network in networks.items()}
    seconds: dict[AttentionKind, list[float]] = {kind: [] for kind in networks}
    image = torch.randn(1, 3, config.input_size, config.input_size, device=device)
    for _ in range(1 + rounds):
        for kind, network in networks.items():
            seconds[kind].append(_time(network.to(device), image, images))
    return [
        AttentionTime(kind, totals[kind].parameters, totals[kind].flops, statistics.median(times[1:]))
        for kind, times in seconds.items()
    ]


def usable_device(name: str) -> torch.device:
    """The device of this name; raises TrainingError where PyTorch cannot use it."""
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0]
        raise TrainingError(f"--device {name}: PyTorch cannot use it here ({reason})") from error


@torch.inference_mode()
def _time(network: Mift, image: torch.Tensor, images: int) -> float:
    started = time.perf_counter()
    for _ in range(images):
        network(image)
    if image.is_cuda:
        torch.cuda.synchronize(image.device)
    return time.perf_counter() - started
