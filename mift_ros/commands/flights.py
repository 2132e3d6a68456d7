"""The options by which commands open a recorded flight: parameters of node and localizer, and topics by role."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from mift_ros.errors import ConfigError
from mift_ros.evaluation.bag import Bag
from mift_ros.evaluation.flight import Flight
from mift_ros.evaluation.settings import read_settings
from mift_ros.evaluation.topics import Topics
from mift_ros.localization.config import LocalizerConfig
from mift_ros.nodes.config import NodeConfig


def read_configs(params: Path | None, words: list[str]) -> tuple[NodeConfig, LocalizerConfig]:
    """Split the settings between node and localizer; a name that neither knows is refused by the localizer."""
    values = read_settings(params, words)
    of_node = {field.name for field in fields(NodeConfig)}
    node = NodeConfig.from_mapping({name: value for name, value in values.items() if name in of_node})
    return node, LocalizerConfig.from_mapping({name: value for name, value in values.items() if name not in of_node})


def read_topics(words: list[str]) -> Topics:
    """ROLE=TOPIC words.

    Raises:
        ConfigError: no such role, or no topic.
    """
    roles = {field.name for field in fields(Topics)}
    pairs = dict(word.partition("=")[::2] for word in words)
    for role, name in pairs.items():
        if role not in roles or not name:
            raise ConfigError(f"--topic {role}={name}: ROLE is one of {', '.join(sorted(roles))}, TOPIC is not empty")
    return Topics(**pairs)


def open_flight(bag: Path, topics: list[str], node: NodeConfig, config: LocalizerConfig) -> Flight:
    """A flight seen by the camera as it is mounted.

    Raises:
        BagError, ConfigError: see Bag and read_topics.
    """
    opened = Bag(bag, read_topics(topics))
    return Flight(opened, config, node.body_from_camera(), node.image_is_rectified)
