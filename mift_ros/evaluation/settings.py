"""Parameters from a YAML file and from NAME=VALUE words, for commands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from mift_ros.errors import ConfigError


def read_settings(path: Path | None, words: Sequence[str], option: str = "--set") -> dict[str, Any]:
    """Names and values; a word, given by an option of the command, wins over the file.

    The file is flat, or a ROS 2 parameter file of one node.

    Raises:
        ConfigError: a file that cannot be read as such, or a word without '='.
    """
    values = _read_file(path) if path else {}
    for word in words:
        name, sign, text = word.partition("=")
        if not sign or not name:
            raise ConfigError(f"{option} {word!r} is not NAME=VALUE")
        values[name.strip()] = _parse(text, f"{option} {word}")
    return values


def _read_file(path: Path) -> dict[str, Any]:
    try:
        content = _parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from error
    if isinstance(content, dict) and len(content) == 1:
        (node,) = content.values()
        if isinstance(node, dict) and list(node) == ["ros__parameters"]:
            content = node["ros__parameters"]
    if not isinstance(content, dict) or any(isinstance(value, (dict, list)) for value in content.values()):
        raise ConfigError(f"{path}: neither names with values nor the ros__parameters of one node")
    return content


def _parse(text: str, where: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{where}: not YAML ({' '.join(str(error).split())})") from error
