"""Geotagged photos as a flight."""
