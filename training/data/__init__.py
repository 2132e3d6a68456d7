"""Training imagery in memory, places on it, and the two views of each place that the network must bring together."""
