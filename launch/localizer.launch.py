"""Start the localizer on a vehicle: `ros2 launch mift_ros localizer.launch.py cache_path:=/data/town.cache`."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode
from launch_ros.parameter_descriptions import ParameterValue

SHARE = Path(get_package_share_directory("mift_ros"))
PROFILE_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
"""What Fast DDS reads a profile from; Humble's and Jazzy's know the first name."""


class Argument(NamedTuple):
    """A launch argument with its default and what it is for."""

    name: str
    default: str
    text: str


PARAMETERS = (
    Argument("cache_path", "", "Map cache file, made by `mift map build`."),
    Argument("model", "", "Packaged model or ONNX file that the cache was built with."),
    Argument("image_transport", "", "raw: image_topic is a sensor_msgs/Image; compressed: a CompressedImage."),
    Argument("height_message", "", "Type of height_agl_topic: range, or float64 (metres above ground)."),
    Argument("map_frame", "", "frame_id of ~/pose."),
    Argument("base_frame", "", "frame_id of ~/fix."),
    Argument("autostart", "true", "Configure and activate at start, whatever params_file says; false: a manager does."),
    Argument("use_sim_time", "", "true: take the time from /clock."),
)
"""Arguments that are parameters of the node; where they are empty, params_file decides."""

TOPICS = (
    Argument("image_topic", "camera/image", "Camera image, raw or compressed as image_transport says."),
    Argument("camera_info_topic", "camera/camera_info", "Intrinsics of that image."),
    Argument("imu_topic", "imu", "sensor_msgs/Imu: attitude of the body (FLU) in ENU."),
    Argument("height_agl_topic", "height_agl", "Height above ground, metres."),
    Argument("odometry_topic", "odometry", "nav_msgs/Odometry with axes east and north (optional)."),
    Argument("prior_topic", "prior", "sensor_msgs/NavSatFix believed from elsewhere (optional)."),
)
"""Arguments that say where the node's inputs come from."""

PROCESS = (
    Argument("params_file", str(SHARE / "config" / "localizer.yaml"), "YAML with the parameters of the node."),
    Argument("node_name", "localizer", "Name of the node; its topics are below it."),
    Argument("namespace", "", "Namespace of the node."),
    Argument("log_level", "info", "debug, info, warn, error or fatal."),
    Argument("transport_profile", "true", "Use the shipped Fast DDS profile, unless the environment names another."),
)


def generate_launch_description() -> LaunchDescription:
    """Arguments and the node."""
    arguments = [
        DeclareLaunchArgument(argument.name, default_value=argument.default, description=argument.text)
        for argument in (*PARAMETERS, *TOPICS, *PROCESS)
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=_node)])


def _node(context: LaunchContext) -> list[LifecycleNode]:
    """The node starts itself (its own parameter autostart): launch_ros can do that only from Jazzy on."""
    given = {argument.name: context.launch_configurations[argument.name] for argument in PARAMETERS}
    node = LifecycleNode(
        package="mift_ros",
        executable="localizer",
        name=LaunchConfiguration("node_name"),
        namespace=LaunchConfiguration("namespace"),
        parameters=[LaunchConfiguration("params_file"), {name: _typed(text) for name, text in given.items() if text}],
        remappings=_remappings(),
        arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
        additional_env=_profile(context),
        output="screen",
        emulate_tty=True,
    )
    return [node]


def _profile(context: LaunchContext) -> dict[str, str]:
    """The environment that names the shipped profile: of this node only, and not over a profile that is named already.

    With ROS_LOCALHOST_ONLY=1 it is empty: on Humble the profile's UDP would still use every interface.
    """
    environment = context.environment
    named = any(environment.get(variable) for variable in PROFILE_VARIABLES)
    wanted = IfCondition(LaunchConfiguration("transport_profile")).evaluate(context)
    if not wanted or named or environment.get("ROS_LOCALHOST_ONLY") == "1":
        return {}
    return {PROFILE_VARIABLES[0]: str(SHARE / "config" / "fastdds.xml")}


def _typed(text: str) -> ParameterValue | bool:
    """A path such as 1.5 stays a text, and true becomes a bool."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    return ParameterValue(text, value_type=str)


def _remappings() -> list[tuple[str, LaunchConfiguration]]:
    """Inputs by their name in the node; the image under both, of which the node takes one."""
    names = {argument.name.removesuffix("_topic"): LaunchConfiguration(argument.name) for argument in TOPICS}
    return [*names.items(), ("image/compressed", LaunchConfiguration("image_topic"))]
