"""The shipped Fast DDS profile: without its large shared-memory segment, camera images do not arrive."""

from __future__ import annotations

import os
import sys
from pathlib import Path

PROFILE = "fastdds.xml"
VARIABLE = "FASTRTPS_DEFAULT_PROFILES_FILE"


def profile_path() -> Path:
    """The profile: of an installed package under share/mift_ros/config, or of the source tree."""
    prefixes = [*os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep), sys.prefix]
    installed = [Path(prefix, "share/mift_ros/config", PROFILE) for prefix in prefixes if prefix]
    source = Path(__file__).resolve().parents[2] / "config" / PROFILE
    return next((path for path in (source, *installed) if path.is_file()), source)


def environment(domain_id: int) -> dict[str, str]:
    """This process's environment with the profile, an own DDS domain and discovery that shared memory can serve.

    Without ROS's settings of the console: what a child says is looked through for `[ERROR]`, as it comes.
    """
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("RCUTILS_")},
        VARIABLE: str(profile_path()),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "SYSTEM_DEFAULT",
        "ROS_DOMAIN_ID": str(domain_id),
        "RMW_IMPLEMENTATION": "rmw_fastrtps_cpp",
    }


def remedy() -> str:
    """One line for whoever reads the diagnostics."""
    return f"large images need shared memory; start camera and node with {VARIABLE}={profile_path()} (docs/node.md)"
