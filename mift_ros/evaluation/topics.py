"""Which topic of a bag carries what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from mift_ros.errors import BagError

TYPES: dict[str, tuple[str, ...]] = {
    "image": ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"),
    "camera_info": ("sensor_msgs/msg/CameraInfo",),
    "imu": ("sensor_msgs/msg/Imu",),
    "height_agl": ("sensor_msgs/msg/Range", "std_msgs/msg/Float64"),
    "odometry": ("nav_msgs/msg/Odometry",),
    "prior": ("sensor_msgs/msg/NavSatFix",),
    "truth": (
        "geographic_msgs/msg/GeoPoseStamped",
        "geographic_msgs/msg/GeoPoseWithCovarianceStamped",
        "sensor_msgs/msg/NavSatFix",
    ),
}
"""Message types each role may have, the preferred first."""

NAMED_ROLES = ("prior",)
"""Roles that are never guessed: a recorded GNSS fix fed as a prior would tell the answer."""
NAMED_TYPES = ("std_msgs/msg/Float64",)
"""Types that say nothing of their content, taken only when the topic is named."""
NEEDED = ("image", "camera_info")


@dataclass(frozen=True)
class Topics:
    """Topic names; an empty one is found by its type, and must then be the only one of that type."""

    image: str = ""
    camera_info: str = ""
    imu: str = ""
    height_agl: str = ""
    odometry: str = ""
    prior: str = ""
    truth: str = ""

    def resolve(self, types: Mapping[str, str], where: str) -> dict[str, str]:
        """Roles by topic, for a bag with these topics and their message types.

        Raises:
            BagError: a named topic is absent or of a wrong type, a needed role has none, or several would do.
        """
        found: dict[str, str] = {}
        for role in (field.name for field in fields(self)):
            if topic := getattr(self, role):
                _check(topic, role, types, where)
                found[topic] = role
        for role in (field.name for field in fields(self) if not getattr(self, field.name)):
            free = {topic: kind for topic, kind in types.items() if topic not in found}
            if topic := _only_one(role, free, where):
                found[topic] = role
        for role in NEEDED:
            if role not in found.values():
                kinds = " or ".join(kind.rsplit("/", 1)[1] for kind in TYPES[role])
                raise BagError(f"{where}: no {role} topic ({kinds}); its topics are {_listed(types)}")
        return found


def _only_one(role: str, types: Mapping[str, str], where: str) -> str:
    """The topic of the first type for this role that the bag has, empty if none."""
    if role in NAMED_ROLES:
        return ""
    for kind in (kind for kind in TYPES[role] if kind not in NAMED_TYPES):
        names = sorted(topic for topic, its_kind in types.items() if its_kind == kind)
        if len(names) > 1:
            raise BagError(f"{where}: several topics could be the {role}: {', '.join(names)}; name one with --topic")
        if names:
            return names[0]
    return ""


def _check(topic: str, role: str, types: Mapping[str, str], where: str) -> None:
    if topic not in types:
        raise BagError(f"{where}: no topic {topic!r} for {role}; its topics are {_listed(types)}")
    if types[topic] not in TYPES[role]:
        raise BagError(
            f"{where}: topic {topic} is {types[topic]}, which cannot be the {role} ({', '.join(TYPES[role])})"
        )


def _listed(types: Mapping[str, str]) -> str:
    return ", ".join(f"{topic} ({kind.rsplit('/', 1)[1]})" for topic, kind in sorted(types.items())) or "none"
