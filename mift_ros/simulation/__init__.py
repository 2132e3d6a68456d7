"""Fly a camera over a map: frames, telemetry and truth."""
