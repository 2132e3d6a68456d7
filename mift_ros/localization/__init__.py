"""From a frame and telemetry to a Fix or a Rejection: search, belief, refine, gate."""
