"""Weights on disk: a safetensors file that carries the identity of the model."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from mift_ros.errors import TrainingError
from mift_ros.inference.embedder import METADATA_KEY, ModelIdentity
from training.model.mift import Mift, build

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Of RGB values in 0 to 1."""


def weights_sha256(state: Mapping[str, Tensor]) -> str:
    """SHA-256 over name and little-endian bytes of every tensor, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode())
        digest.update(state[name].detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def identify(model: Mift, recipe: str) -> ModelIdentity:
    """The identity of these weights; `recipe` names how they were trained."""
    config = model.config
    return ModelIdentity(
        name="mift",
        variant=config.variant,
        input_size=config.input_size,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        colour_order="rgb",
        interpolation="area",
        embedding_dim=config.embedding_dim,
        regions=config.regions,
        recipe=recipe,
        weights_sha256=weights_sha256(model.state_dict()),
    )


def save_weights(path: Path, model: Mift, recipe: str) -> None:
    """Write parameters and buffers as safetensors, the identity under METADATA_KEY in its metadata."""
    temporary = path.with_name(path.name + ".tmp")
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    save_file(state, temporary, metadata={METADATA_KEY: identify(model, recipe).to_json()})
    os.replace(temporary, path)


def read_identity(path: Path) -> ModelIdentity:
    """The identity stored with the weights.

    Raises:
        TrainingError: the file is missing, not safetensors, or was not written by save_weights.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise TrainingError(f"{path}: cannot be read as a checkpoint ({error})") from error
    if METADATA_KEY not in metadata:
        raise TrainingError(f"{path}: has no MIFT identity; give a checkpoint written by mift train")
    return ModelIdentity.from_json(metadata[METADATA_KEY], str(path))


def load_weights(path: Path) -> Mift:
    """The trained network, in evaluation mode, on the CPU.

    Raises:
        TrainingError: the file cannot be read, does not fit its variant, or its weights are not those of its identity.
    """
    identity = read_identity(path)
    model = build(identity.variant)
    state = load_file(path)
    if weights_sha256(state) != identity.weights_sha256:
        raise TrainingError(f"{path}: the weights do not match their SHA-256; the file is damaged, copy it again")
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise TrainingError(
            f"{path}: does not fit {identity.variant} of this version; train or fetch it again"
        ) from error
    return model.eval()
