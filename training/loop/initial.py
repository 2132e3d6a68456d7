"""Weights to begin a run with: our own, as trained or as exported, or those of CrossFormer trained on ImageNet."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from mift_ros.errors import ExportError, ModelError, TrainingError
from mift_ros.inference.installed import installed_path
from mift_ros.inference.load import ONNX_SUFFIX, model_path, packaged_models
from training.checkpoint import load_weights, read_config, read_state
from training.model.network import Network
from training.model.position import stretched_table
from training.model.widen import widen

OWN_SUFFIX = ".safetensors"
STAGES_PREFIX = "stages."
POSITION_SUFFIX = ".attention.bias.table"


def load_initial(path: Path, network: Network) -> list[str]:
    """Take weights into the network; the keys of either side that found no partner.

    A .safetensors file of ours has to fit in all stages but the size of their groups, for which biases of position are
    interpolated; of what follows the stages, that is taken which fits, since heads differ between methods. A model of
    `mift export onnx`, or the name of a packaged one, has to fit altogether. Those of a narrower variant are widened.
    Any other file is read as a CrossFormer checkpoint.

    Raises:
        TrainingError: the file cannot be read or its stages are of another variant.
    """
    if is_exported(path):
        _load_exported(path, network)
        return []
    if path.suffix != OWN_SUFFIX:
        from training.model.crossformer import load_crossformer

        return load_crossformer(path, network)
    if read_config(path).variant != network.config.variant:
        _widen(load_weights(path), network, path)
        return []
    own = network.state_dict()
    given = {key: _of_size(tensor, key, own.get(key)) for key, tensor in read_state(path).items()}
    unmatched = sorted(key for key in own.keys() | given.keys() if not _fits(own.get(key), given.get(key)))
    strange = [key for key in unmatched if key.startswith(STAGES_PREFIX)]
    if strange:
        raise TrainingError(f"{path}: its stages are not those of {network.config.variant}, for example {strange[0]}")
    network.load_state_dict({key: value for key, value in given.items() if key not in unmatched}, strict=False)
    return unmatched


def _load_exported(path: Path, network: Network) -> None:
    try:
        from export.training_form import load_exported
    except ImportError as error:
        raise TrainingError(f"{error}; install 'mift_ros[cpu]' to begin with an exported model") from error
    file = model_path(str(path))
    if not file.is_file():
        raise TrainingError(f"{file}: no such model file to begin with")
    try:
        exported = load_exported(file, network)
    except (ExportError, ModelError) as error:
        raise TrainingError(str(error)) from error
    if exported is not network:
        _widen(exported, network, file)


def _widen(narrow: Network, network: Network, path: Path) -> None:
    try:
        widen(narrow, network)
    except TrainingError as error:
        raise TrainingError(f"{path}: {error}") from error


def is_exported(path: Path) -> bool:
    """Whether this is an ONNX file, or the name of a packaged or an installed one."""
    name = str(path)
    return path.suffix == ONNX_SUFFIX or name in packaged_models() or installed_path(name) is not None


def _of_size(given: Tensor, key: str, own: Tensor | None) -> Tensor:
    """Biases of position for the groups of the network, which may look at images of another size; else as given."""
    if own is None or own.shape == given.shape or not key.endswith(POSITION_SUFFIX):
        return given
    return stretched_table(given, own.shape[1]) if own.shape[0] == given.shape[0] else given


def _fits(own: Tensor | None, given: Tensor | None) -> bool:
    return own is not None and given is not None and own.shape == given.shape
