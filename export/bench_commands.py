"""What export adds to `mift bench`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from mift_ros.commands.bench_speed import Batches, compare_embedders


def eager(
    weights: Annotated[str, typer.Argument(help="Checkpoint (.safetensors), or a variant such as mift_s: untrained.")],
    models: Annotated[list[str], typer.Option("--model", help="ONNX file of it, float32, float16 or int8; several.")],
    repeats: Annotated[int, typer.Option(min=3, help="Timed repetitions of every batch.")] = 10,
    threads: Annotated[int, typer.Option(min=1, help="Threads of each.")] = 1,
    batches: Batches = None,
) -> None:
    """ONNX files beside the network in eager float32 PyTorch, in one run: how many times as fast."""
    from export.torch_embedder import NetworkEmbedder
    from export.weights import load
    from mift_ros.inference.load import load_embedder, model_path
    from mift_ros.inference.operations import operations

    counts = {name: operations(model_path(name)) for name in models}
    with _torch_threads(threads):
        compare_embedders(
            {
                "PyTorch": NetworkEmbedder(*load(weights, seed=0)),
                **{name: load_embedder(name, threads) for name in models},
            },
            {"PyTorch": counts[models[0]], **counts},
            repeats,
            batches,
        )


@contextmanager
def _torch_threads(count: int) -> Iterator[None]:
    """PyTorch's threads are the process's: whoever calls this from Python gets his own back."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
