"""Whether the node can run here."""

from __future__ import annotations

import importlib

NEEDED = ("rclpy", "geographic_msgs.msg", "diagnostic_msgs.msg", "nav_msgs.msg", "sensor_msgs.msg", "std_srvs.srv")


def why_no_ros() -> str:
    """What is missing to run the node, as one line; empty if nothing is."""
    for name in NEEDED:
        try:
            importlib.import_module(name)
        except ImportError as error:
            return f"{name.partition('.')[0]} cannot be imported ({str(error).splitlines()[0]})"
    return ""
