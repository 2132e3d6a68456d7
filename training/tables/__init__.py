"""The tables of the paper as experiments that a command runs side by side."""
