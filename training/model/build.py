"""Networks by name: a variant's sizes, a method's head, and the changes of an ablation."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from mift_ros.errors import TrainingError
from training.methods.table import METHODS as OTHER_METHODS
from training.model.changes import changed
from training.model.config import VARIANTS, MiftConfig
from training.model.network import Network
from training.recipes.schema import NetworkSpec

METHODS: dict[str, str] = {
    "mift": "training.model.mift:Mift",
    **{name: method.network for name, method in OTHER_METHODS.items()},
}
"""Where the class of each method is; it is made of a MiftConfig alone."""


def build_network(variant: str, method: str = "mift", changes: NetworkSpec | None = None) -> Network:
    """An untrained network; raises TrainingError for an unknown variant or method and impossible changes."""
    if variant not in VARIANTS:
        raise TrainingError(f"there is no model variant {variant!r}; choose one of {', '.join(VARIANTS)}")
    return network_class(method)(changed(VARIANTS[variant], changes or NetworkSpec()))


def network_class(method: str) -> Callable[[MiftConfig], Network]:
    """The class of a method; raises TrainingError for an unknown one."""
    if method not in METHODS:
        raise TrainingError(f"there is no method {method!r}; choose one of {', '.join(METHODS)}")
    module, name = METHODS[method].split(":")
    found: Callable[[MiftConfig], Network] = getattr(import_module(module), name)
    return found
