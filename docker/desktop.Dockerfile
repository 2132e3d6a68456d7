# A desktop with an NVIDIA card: ROS 2 Jazzy, TensorRT and ONNX Runtime from pip. From the repository's root:
#   docker build -f docker/desktop.Dockerfile -t mift_ros:desktop .
# Not run yet on a machine with a GPU: docs/install.md says what has been measured.
FROM ros:jazzy-ros-base

# cuda-python must not be newer than the driver's CUDA, which nvidia-smi shows; TensorRT and ONNX Runtime are of CUDA 12.
ARG CUDA=12.8
ARG TENSORRT=10.9

COPY package.xml /src/
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3-pip python3-venv \
 && rosdep update --rosdistro "$ROS_DISTRO" \
 && rosdep install -y --from-paths /src --ignore-src \
 && rm -rf /var/lib/apt/lists/*

COPY setup.py setup.cfg pyproject.toml MANIFEST.in README.md CHANGELOG.rst LICENSE /src/
COPY constraints /src/constraints
COPY resource /src/resource
COPY launch /src/launch
COPY config /src/config
COPY libexec /src/libexec
COPY mift_ros /src/mift_ros
COPY training /src/training
COPY export /src/export
RUN python3 -m venv --system-site-packages /opt/mift \
 && /opt/mift/bin/pip install --no-cache-dir -c /src/constraints/apt-ros.txt \
    "/src[gpu,eval]" "cuda-python~=${CUDA}.0" "tensorrt-cu12~=${TENSORRT}.0"

# The entry point of the base image adds ROS's own prefix to this one.
ENV PATH=/opt/mift/bin:$PATH AMENT_PREFIX_PATH=/opt/mift MIFT_ENGINES=/data/engines
VOLUME /data
CMD ["mift", "--help"]
