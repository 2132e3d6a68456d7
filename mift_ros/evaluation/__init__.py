"""Replay of recorded flights: bags, metrics, report."""
