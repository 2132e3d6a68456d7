"""Satellite maps: one MapSource interface, a file per format."""
