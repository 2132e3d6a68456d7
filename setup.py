"""ament_python package: metadata is in setup.cfg, this file places what ROS looks for under share/ and lib/.

Console scripts stay in bin/, so that `mift` is a command of the shell with pip and with colcon; what `ros2 launch`
starts are the shims of libexec/.
"""

from glob import glob

from setuptools import setup

PACKAGE = "mift_ros"

setup(
    python_requires=">=3.10",  # colcon cannot read it from setup.cfg
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        (f"share/{PACKAGE}/launch", glob("launch/*.launch.py")),
        (f"share/{PACKAGE}/config", glob("config/*")),
        (f"lib/{PACKAGE}", glob("libexec/*")),
    ],
)
