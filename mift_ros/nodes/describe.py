"""Print config/localizer.yaml: every parameter with its default, unit, range and meaning.

python -m mift_ros.nodes.describe > config/localizer.yaml
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator

from mift_ros.localization.config import LocalizerConfig
from mift_ros.nodes.config import NodeConfig

HEAD = """\
# Parameters of the localizer with their defaults, written by `python -m mift_ros.nodes.describe`.
# Unknown names and values out of range are refused when the node is configured.
/**:
  ros__parameters:"""


def lines() -> Iterator[str]:
    """The file, line by line."""
    yield HEAD
    for title, config in (("The node", NodeConfig), ("Localization", LocalizerConfig)):
        yield f"    # {title}"
        for field in dataclasses.fields(config):
            yield f"    {field.name}: {json.dumps(field.default)}  # {_comment(field)}"


def _comment(field: dataclasses.Field[object]) -> str:
    meta = field.metadata
    if "low" not in meta:
        return str(meta["text"])
    return f"{meta['text']} [{meta['low']:g} to {meta['high']:g} {meta['unit']}".rstrip() + "]"


if __name__ == "__main__":
    print("\n".join(lines()))
