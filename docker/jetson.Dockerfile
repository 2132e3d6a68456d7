# A Jetson: TensorRT and CUDA of the JetPack, ROS 2 from apt. On the Jetson, from the repository's root:
#   JetPack 6:  docker build -f docker/jetson.Dockerfile -t mift_ros:jetson .
#   JetPack 7:  docker build -f docker/jetson.Dockerfile -t mift_ros:jetson --build-arg ROS_DISTRO=jazzy \
#               --build-arg BASE=nvcr.io/nvidia/tensorrt:25.08-py3 --build-arg CUDA=13.0 .
# Not run yet on a Jetson: docs/install.md says what has been measured.
ARG BASE=nvcr.io/nvidia/l4t-jetpack:r36.4.0
FROM ${BASE}

ARG ROS_DISTRO=humble
ARG ROS_APT_SOURCE=1.1.0
ARG CUDA=12.6
ENV ROS_DISTRO=${ROS_DISTRO} DEBIAN_FRONTEND=noninteractive LANG=C.UTF-8

ADD https://github.com/ros-infrastructure/ros-apt-source/releases/download/${ROS_APT_SOURCE}/ros2-apt-source_${ROS_APT_SOURCE}.jammy_all.deb /tmp/jammy.deb
ADD https://github.com/ros-infrastructure/ros-apt-source/releases/download/${ROS_APT_SOURCE}/ros2-apt-source_${ROS_APT_SOURCE}.noble_all.deb /tmp/noble.deb
COPY package.xml /src/
RUN . /etc/os-release \
 && apt-get update \
 && apt-get install -y --no-install-recommends "/tmp/${VERSION_CODENAME}.deb" \
 && apt-get update \
 && apt-get install -y --no-install-recommends \
    "ros-${ROS_DISTRO}-ros-base" python3-pip python3-rosdep python3-venv \
 && (python3 -c "import tensorrt" || apt-get install -y --no-install-recommends python3-libnvinfer) \
 && rosdep init \
 && rosdep update --rosdistro "$ROS_DISTRO" \
 && rosdep install -y --from-paths /src --ignore-src \
 && rm -rf /var/lib/apt/lists/* /tmp/*.deb

COPY setup.py setup.cfg pyproject.toml MANIFEST.in README.md CHANGELOG.rst LICENSE /src/
COPY constraints /src/constraints
COPY resource /src/resource
COPY launch /src/launch
COPY config /src/config
COPY libexec /src/libexec
COPY mift_ros /src/mift_ros
COPY training /src/training
COPY export /src/export
# PyPI has no onnxruntime-gpu for aarch64: its CPU runtime is what is fallen back to while there is no engine.
RUN python3 -m venv --system-site-packages /opt/mift \
 && /opt/mift/bin/pip install --no-cache-dir -c /src/constraints/apt-ros.txt \
    "/src[cpu]" "cuda-python~=${CUDA}.0"

ENV PATH=/opt/mift/bin:$PATH AMENT_PREFIX_PATH=/opt/mift MIFT_ENGINES=/data/engines
VOLUME /data
ENTRYPOINT ["/bin/bash", "-c", "source /opt/ros/$ROS_DISTRO/setup.bash && exec \"$@\"", "--"]
CMD ["mift", "--help"]
