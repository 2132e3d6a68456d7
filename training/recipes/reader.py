"""Recipes as YAML files: every key is checked by name and type, and unknown ones are refused."""

from __future__ import annotations

import enum
import typing
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

import yaml

from mift_ros.errors import TrainingError
from training.recipes.rules import rules
from training.recipes.schema import Recipe

SHIPPED = {path.stem: path for path in sorted(Path(__file__).parent.glob("*.yaml"))}
"""Recipes that come with the package, by name."""


def load_recipe(path: Path, overrides: tuple[str, ...] = ()) -> Recipe:
    """Read a recipe and apply `key.subkey=value` overrides; raises TrainingError naming the file and the key.

    path: a YAML file, or the name of a shipped recipe.
    """
    source = SHIPPED.get(str(path), path)
    try:
        raw = yaml.safe_load(source.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TrainingError(f"{path}: no such recipe; give a file or one of {', '.join(SHIPPED)}") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TrainingError(f"{path}: the recipe cannot be read ({' '.join(str(error).split())})") from error
    if not isinstance(raw, dict):
        raise TrainingError(f"{path}: a recipe is a YAML mapping with name, variant, data and loss")
    for override in overrides:
        _apply(raw, override)
    return parse_recipe(raw, str(path))


def parse_recipe(raw: dict[str, Any], where: str) -> Recipe:
    """A Recipe from plain values; raises TrainingError for unknown, missing, mistyped and impossible ones."""
    recipe: Recipe = parse_values(Recipe, raw, where)
    for holds, message in rules(recipe):
        if not holds:
            raise TrainingError(f"{where}: {message}")
    return recipe


def _apply(raw: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    if not separator:
        raise TrainingError(f"--set {override}: write key=value, for example optimizer.learning_rate=0.001")
    *parents, last = key.split(".")
    node = raw
    for parent in parents:
        node = node.setdefault(parent, {})
        if not isinstance(node, dict):
            raise TrainingError(f"--set {override}: '{parent}' has no keys below it")
    try:
        node[last] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise TrainingError(f"--set {override}: '{text}' is not a YAML value") from error


def parse_values(kind: Any, raw: Any, where: str, prefix: str = "") -> Any:
    """A dataclass of type `kind` from plain values; raises TrainingError for unknown, missing and mistyped keys."""
    if not isinstance(raw, dict):
        raise TrainingError(f"{where}: '{prefix.rstrip('.')}' is a mapping, not {type(raw).__name__}")
    hints = typing.get_type_hints(kind)
    unknown = sorted(str(key) for key in raw if key not in hints)
    if unknown:
        raise TrainingError(f"{where}: unknown key '{prefix}{unknown[0]}'; known here: {', '.join(sorted(hints))}")
    needed = [f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING]
    missing = [name for name in needed if name not in raw]
    if missing:
        raise TrainingError(f"{where}: missing key '{prefix}{missing[0]}'")
    return kind(**{key: _value(hints[key], value, where, f"{prefix}{key}") for key, value in raw.items()})


def _value(hint: Any, value: Any, where: str, key: str) -> Any:
    if type(None) in typing.get_args(hint):
        return None if value is None else _value(typing.get_args(hint)[0], value, where, key)
    if is_dataclass(hint):
        return parse_values(hint, value, where, f"{key}.")
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return _choice(hint, value, where, key)
    if typing.get_origin(hint) is tuple:
        return _tuple(typing.get_args(hint), value, where, key)
    if hint is float and not isinstance(value, bool):
        value = _number(value)
    if type(value) is not hint:
        raise TrainingError(f"{where}: '{key}' is {hint.__name__}, not {value!r}")
    return value


def _choice(kind: type[enum.Enum], value: Any, where: str, key: str) -> enum.Enum:
    try:
        return kind(value)
    except ValueError as error:
        known = ", ".join(str(member.value) for member in kind)
        raise TrainingError(f"{where}: '{key}' is one of {known}, not {value!r}") from error


def _number(value: Any) -> Any:
    """Integers, and what YAML 1.1 takes for text though it is a number (1e-3, without a point), as float."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


def _tuple(kinds: tuple[Any, ...], value: Any, where: str, key: str) -> tuple[Any, ...]:
    repeated = kinds[-1] is Ellipsis
    if not isinstance(value, (list, tuple)) or not (repeated or len(value) == len(kinds)):
        raise TrainingError(f"{where}: '{key}' is a list{'' if repeated else f' of {len(kinds)}'}, not {value!r}")
    members = [kinds[0]] * len(value) if repeated else kinds
    return tuple(_value(kind, item, where, f"{key}[{i}]") for i, (kind, item) in enumerate(zip(members, value)))
