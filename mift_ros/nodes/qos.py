"""QoS overrides: `qos_overrides.TOPIC.subscription.depth` and so on, and what is said of a value that is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.qos_overriding_options import QoSOverridingOptions

from mift_ros.errors import ConfigError


@contextmanager
def qos_overrides(node: Node, topic: str) -> Iterator[QoSOverridingOptions]:
    """The options with which a `with` block creates the publisher or subscription of a topic.

    Raises:
        ConfigError: rclpy refuses a value. It is read-only from now on: the node must be started anew.
    """
    try:
        yield QoSOverridingOptions.with_default_policies()
    except (AssertionError, ParameterException, RuntimeError, ValueError) as error:
        name = f"qos_overrides.{node.resolve_topic_name(topic)}"
        raise ConfigError(f"{name}: {error}; start the node with another value") from error
