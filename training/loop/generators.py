"""Torch's random number generators of all processes: seeding, saving, restoring."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from training.data.batch import Share
from training.loop.processes import gather_rows


def seed_process(seed: int, share: Share) -> None:
    """Give each process its own stream, apart from that of the initial weights, which all have in common."""
    torch.manual_seed(int(np.random.SeedSequence([seed, 1 + share.rank]).generate_state(1)[0]))


def generator_states(device: torch.device) -> dict[str, Tensor]:
    """States by kind of device [processes, bytes]; every process calls this."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return {kind: gather_rows(state.to(device)[None]).cpu() for kind, state in states.items()}


def set_generator_states(states: dict[str, Tensor], share: Share) -> None:
    """Go on with this process's streams; with another number of processes the seeds of this start are kept."""
    if len(states["cpu"]) != share.world:
        return
    torch.set_rng_state(states["cpu"][share.rank].clone())  # given a view of the rows, PyTorch reads past its end
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"][share.rank].clone())
