"""Training of MIFT: the network, the data, the losses and the loop. Needs PyTorch, never ROS."""
