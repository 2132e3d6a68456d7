"""Where is the drone when GNSS is gone: match the camera image against satellite tiles, publish a geo-pose."""

__version__ = "0.1.0"
