"""Every field of NodeConfig and LocalizerConfig as a ROS parameter; unknown names and bad values are refused."""

from __future__ import annotations

import dataclasses
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from mift_ros.errors import ConfigError
from mift_ros.localization.config import LocalizerConfig
from mift_ros.nodes.config import NodeConfig
from mift_ros.parameters import coerce, unknown

FIELDS: dict[str, dataclasses.Field[Any]] = {
    field.name: field for config in (NodeConfig, LocalizerConfig) for field in dataclasses.fields(config)
}


class NodeParameters:
    """Declares all parameters on construction, so that `ros2 param` shows them, and reads them at configuration.

    An override that is unknown or out of range does not stop the process: `read` refuses it with its reason.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self.locked = False
        """True while configured: a change would have no effect, so it is refused."""
        # rclpy keeps the overrides to itself, and drops those that nobody declares.
        self._overrides = {name: parameter.value for name, parameter in node._parameter_overrides.items()}
        for field in FIELDS.values():
            self._declare(field)
        self._refused = self._unknown_names() | self._bad_values()
        node.add_on_set_parameters_callback(self._on_set)

    def read(self) -> tuple[NodeConfig, LocalizerConfig]:
        """The values now.

        Raises:
            ConfigError: a name or value given at start, or a combination of values, is refused.
        """
        if self._refused:
            raise ConfigError("; ".join(self._refused.values()))
        return NodeConfig.from_mapping(self._values(NodeConfig)), LocalizerConfig.from_mapping(
            self._values(LocalizerConfig)
        )

    def _values(self, config: type[NodeConfig] | type[LocalizerConfig]) -> dict[str, Any]:
        return {f.name: self._node.get_parameter(f.name).value for f in dataclasses.fields(config)}

    def _declare(self, field: dataclasses.Field[Any]) -> None:
        value = coerce(field, self._overrides.get(field.name, field.default))
        if _refusal(field, value):
            value = field.default
        self._node.declare_parameter(field.name, value, describe(field), ignore_override=True)

    def _unknown_names(self) -> dict[str, str]:
        """Overrides that nobody has declared, and what is to be said of each."""
        names = (n for n in self._overrides if not self._node.has_parameter(n) and not n.startswith("qos_overrides."))
        return {name: unknown(name, FIELDS) for name in names}

    def _bad_values(self) -> dict[str, str]:
        given = (FIELDS[name] for name in self._overrides if name in FIELDS)
        return {field.name: why for field in given if (why := _refusal(field, self._overrides[field.name]))}

    def _on_set(self, changes: list[Parameter]) -> SetParametersResult:
        for parameter in changes:
            field = FIELDS.get(parameter.name)
            why = _refusal(field, parameter.value) if field else ""
            if field and self.locked:
                why = f"parameter {parameter.name} is read at configuration: clean up the node first"
            if why:
                return SetParametersResult(successful=False, reason=why)
        for parameter in changes:
            self._refused.pop(parameter.name, None)  # what was wrong at the start has been put right
        return SetParametersResult(successful=True)


def _refusal(field: dataclasses.Field[Any], value: Any) -> str:
    """Why this value is refused, else empty."""
    config = NodeConfig if field.name in NodeConfig.__dataclass_fields__ else LocalizerConfig
    try:
        config.from_mapping({field.name: value})
    except ConfigError as error:
        return str(error)
    return ""


def describe(field: dataclasses.Field[Any]) -> ParameterDescriptor:
    """Text, unit, default and range, as `ros2 param describe` shows them."""
    meta = field.metadata
    unit = f" [{meta['unit']}]" if meta["unit"] else ""
    descriptor = ParameterDescriptor(description=f"{meta['text']}{unit} Default: {field.default}")
    if meta.get("choices"):
        descriptor.additional_constraints = f"one of {', '.join(meta['choices'])}"
    elif isinstance(field.default, float):
        descriptor.floating_point_range = [FloatingPointRange(from_value=meta["low"], to_value=meta["high"])]
    elif "low" in meta:
        descriptor.integer_range = [IntegerRange(from_value=meta["low"], to_value=meta["high"], step=1)]
    return descriptor
