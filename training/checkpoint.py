"""Weights on disk: a safetensors file that carries the identity of the model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from mift_ros.errors import TrainingError
from mift_ros.files import replacing
from mift_ros.inference.embedder import METADATA_KEY, ModelIdentity
from training.model.build import network_class
from training.model.config import MiftConfig
from training.model.network import Network
from training.recipes.reader import parse_values

CONFIG_KEY = "network"
"""Of the metadata: sizes of the network as JSON, so that an ablation's weights build the network they are of."""
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


def identify(model: Network, recipe: str) -> ModelIdentity:
    """The identity of these weights; `recipe` names how they were trained."""
    config = model.config
    return ModelIdentity(
        name=model.method,
        variant=config.variant,
        input_size=config.input_size,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        colour_order="rgb",
        interpolation="area",
        embedding_dim=model.embedding_dim,
        regions=model.branch_count - 1,
        recipe=recipe,
        weights_sha256=weights_sha256(model.state_dict()),
    )


def save_weights(path: Path, model: Network, recipe: str) -> None:
    """Write parameters and buffers as safetensors; its metadata hold the identity and the network's sizes."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    metadata = {METADATA_KEY: identify(model, recipe).to_json(), CONFIG_KEY: json.dumps(asdict(model.config))}
    with replacing(path) as temporary:
        save_file(state, temporary, metadata=metadata)


def read_identity(path: Path) -> ModelIdentity:
    """The identity stored with the weights.

    Raises:
        TrainingError: the file is missing, not safetensors, or was not written by save_weights.
    """
    return ModelIdentity.from_json(_read_metadata(path)[METADATA_KEY], str(path))


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a file of save_weights, on the CPU.

    Raises:
        TrainingError: the file cannot be read, or its weights are not those of its identity.
    """
    identity, state = read_identity(path), load_file(path)
    if weights_sha256(state) != identity.weights_sha256:
        raise TrainingError(f"{path}: the weights do not match their SHA-256; the file is damaged, copy it again")
    return state


def load_weights(path: Path) -> Network:
    """The trained network, in evaluation mode, on the CPU.

    Raises:
        TrainingError: the file cannot be read, does not fit its network, or its weights are not those of its identity.
    """
    identity, state = read_identity(path), read_state(path)
    model = network_class(identity.name)(read_config(path))
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise TrainingError(
            f"{path}: does not fit {identity.variant} of this version; train or fetch it again"
        ) from error
    return model.eval()


def read_config(path: Path) -> MiftConfig:
    """Sizes of the network that the weights are of."""
    metadata = _read_metadata(path)
    try:
        raw = json.loads(metadata[CONFIG_KEY])
    except (KeyError, ValueError) as error:
        raise TrainingError(f"{path}: has no sizes of its network; train or fetch it again") from error
    config: MiftConfig = parse_values(MiftConfig, raw, str(path))
    return config


def _read_metadata(path: Path) -> dict[str, str]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise TrainingError(f"{path}: cannot be read as a checkpoint ({error})") from error
    if METADATA_KEY not in metadata:
        raise TrainingError(f"{path}: has no MIFT identity; give a checkpoint written by mift train")
    return metadata
