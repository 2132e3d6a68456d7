"""One root exception with a child per domain; the message is one line: what is wrong, where, and what to do."""


class MiftError(Exception):
    """Root of every error raised on purpose; commands print it as one line and exit with code 2."""


class GeometryError(MiftError):
    """A camera, attitude or height that no ground point can be computed from."""


class MapError(MiftError):
    """A map that cannot be read: no CRS, no georeference, too small, damaged."""


class CacheError(MiftError):
    """A map cache that is damaged, of another model or of a future format."""


class ModelError(MiftError):
    """A model file that is missing, damaged or without identity, or no runtime to run it."""


class ImageError(MiftError):
    """A camera image with an unknown encoding or fewer bytes than its header says."""


class BagError(MiftError):
    """A bag that cannot be read or lacks what is needed."""


class ConfigError(MiftError):
    """A parameter that is unknown, of the wrong type or out of range."""


class SimulationError(MiftError):
    """A flight that cannot be flown over this map."""


class TrainingError(MiftError):
    """Training data, recipe or checkpoint that cannot be used."""


class ExportError(MiftError):
    """A model that cannot be exported, or whose export differs from it."""


def first_line(error: Exception) -> str:
    """The first line of an error's text, its type where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].strip()
