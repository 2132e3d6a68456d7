"""The shipped DDS profile lets large images through and shuts nobody out."""

import os
import subprocess
import sys

import pytest

from mift_ros.nodes.transport import VARIABLE, environment

LISTEN = """
import time, rclpy
from std_msgs.msg import Float64
rclpy.init()
node = rclpy.create_node("listener")
heard = []
node.create_subscription(Float64, "told", heard.append, 10)
print("ready", flush=True)
until = time.monotonic() + 30
while not heard and time.monotonic() < until:
    rclpy.spin_once(node, timeout_sec=0.1)
print("heard" if heard else "nothing")
"""
TELL = """
import rclpy
from std_msgs.msg import Float64
rclpy.init()
node = rclpy.create_node("teller")
publisher = node.create_publisher(Float64, "told", 10)
node.create_timer(0.1, lambda: publisher.publish(Float64(data=1.0)))
rclpy.spin(node)
"""


@pytest.mark.parametrize("with_profile", ["listener", "teller"])
def test_a_process_without_the_profile_hears_and_is_heard(ros, with_profile):
    own = {**environment(ros), "ROS_DOMAIN_ID": str(ros + 100)}
    plain = {key: value for key, value in own.items() if key != VARIABLE}
    assert VARIABLE in own and os.path.isfile(own[VARIABLE])
    listens, tells = (own, plain) if with_profile == "listener" else (plain, own)
    listener = subprocess.Popen([sys.executable, "-c", LISTEN], env=listens, stdout=subprocess.PIPE, text=True)
    teller = subprocess.Popen([sys.executable, "-c", TELL], env=tells, stderr=subprocess.DEVNULL)
    try:
        assert listener.communicate(timeout=90)[0].split() == ["ready", "heard"]
    finally:
        teller.terminate()
        teller.wait(timeout=30)
        listener.kill()
