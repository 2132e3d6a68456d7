"""Parameters declared once: default, range, unit, text; ROS, YAML, `--set` and the documentation derive from here."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from mift_ros.errors import ConfigError

P = TypeVar("P", bound="Parameters")


def number(default: float, low: float, high: float, unit: str, text: str) -> Any:
    """A field of a Parameters class: an int or a float (by its default) from `low` to `high`."""
    return dataclasses.field(default=default, metadata={"low": low, "high": high, "unit": unit, "text": text})


def flag(default: bool, text: str) -> Any:
    """A field of a Parameters class: true or false."""
    return dataclasses.field(default=default, metadata={"unit": "", "text": text})


def name(default: str, text: str, choices: tuple[str, ...] = ()) -> Any:
    """A field of a Parameters class: a text, one of `choices` if there are any."""
    return dataclasses.field(default=default, metadata={"unit": "", "text": text, "choices": choices})


class Parameters:
    """Base of frozen dataclasses whose fields are all made by number, flag or name; validated on construction."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _check(field, getattr(self, field.name))

    @classmethod
    def from_mapping(cls: type[P], values: Mapping[str, Any]) -> P:
        """Build from names and values.

        Raises:
            ConfigError: a name that is unknown, a value of the wrong type or out of range.
        """
        known = {field.name: field for field in dataclasses.fields(cls)}
        for key in values:
            if key not in known:
                raise ConfigError(unknown(key, known))
        return cls(**{key: coerce(known[key], value) for key, value in values.items()})


def unknown(key: str, known: Mapping[str, Any]) -> str:
    """The line that refuses an unknown parameter, with the close match if there is one."""
    close = difflib.get_close_matches(str(key), known, n=1)
    return f"unknown parameter {key!r}" + (f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(known)}")


def coerce(field: dataclasses.Field[Any], value: Any) -> Any:
    """YAML and ROS write 36.0 as 36: accept an int for a float, nothing else."""
    if isinstance(field.default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def _check(field: dataclasses.Field[Any], value: Any) -> None:
    wanted: type[Any] = type(field.default)
    if type(value) is not wanted:
        raise ConfigError(f"parameter {field.name} must be {wanted.__name__}, not {value!r}")
    if wanted is str:
        choices = field.metadata["choices"]
        if choices and value not in choices:
            raise ConfigError(f"parameter {field.name} = {value!r} is not one of {', '.join(choices)}")
    elif wanted is not bool:
        low, high, unit = field.metadata["low"], field.metadata["high"], field.metadata["unit"]
        if not (math.isfinite(value) and low <= value <= high):
            raise ConfigError(f"parameter {field.name} = {value} is outside {low:g} to {high:g} {unit}".rstrip())
