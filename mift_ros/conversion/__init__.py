"""ROS messages to and from plain values: pure, duck-typed, the same for rclpy and for rosbags messages."""
