"""A small set in the layout of University-1652, rendered by the simulator: owned by nobody, made anywhere."""
