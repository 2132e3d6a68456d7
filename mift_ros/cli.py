"""The `mift` command: sub-commands are imported only when called, and every MiftError is one line and exit code 2."""

from __future__ import annotations

import copy
import importlib
import sys
from importlib.metadata import entry_points

import typer

from mift_ros import __version__
from mift_ros.errors import MiftError, first_line
from mift_ros.threads import keep_blas_single

GROUPS = {
    "map": "Build, inspect and verify map caches.",
    "simulate": "Fly a camera over a map and record a bag.",
    "bag": "Make a bag out of geotagged photos, or look into one.",
    "stress": "Fly a seeded suite of disturbed flights: one table.",
    "replay": "Replay a bag against a cache: metres, availability, false fixes, latency, report.",
    "calibrate": "Fit covariance and gate to flights with truth, and prove them on others.",
    "demo": "The whole path on an embedded world: map, cache, node, flight over DDS, report.",
    "weights": "List, install and verify models beside the packaged one.",
    "bench": "Measure this machine: inference, search; the localizer beside its peers.",
}
"""Commands of mift_ros itself, in mift_ros/commands/<name>.py."""

PLUGINS = {
    "model": "The MIFT network: parts, parameters, operations.",
    "train": "Train weights.",
    "export": "Weights to ONNX, float16, int8 and engines, checked by ranking.",
}
"""Commands that other packages bring through the entry points PLUGIN_POINTS; help without importing them."""

PLUGIN_POINTS = "mift.commands"
"""Entry points `name = module:app` bring a Typer app, `group.name = module:function` a command of an existing group."""


def _load(name: str) -> typer.Typer:
    """Import the Typer app of one sub-command, with the commands that other packages add to it."""
    group = copy.copy(_own(name))
    added = [point for point in entry_points(group=PLUGIN_POINTS) if point.name.startswith(f"{name}.")]
    group.registered_commands = [*group.registered_commands]
    for point in sorted(added, key=lambda point: point.name):
        group.command(point.name.partition(".")[2])(point.load())
    return group


def _own(name: str) -> typer.Typer:
    if name in GROUPS:
        app: typer.Typer = importlib.import_module(f"mift_ros.commands.{name}").app
        return app
    found = list(entry_points(group=PLUGIN_POINTS, name=name))
    if not found:
        raise MiftError(f"`mift {name}` is not installed: pip install 'mift_ros[train,export]'")
    loaded: typer.Typer = found[0].load()
    return loaded


def _root(called: str | None) -> typer.Typer:
    """The root command with the called group loaded and the others as help lines only."""
    root = typer.Typer(
        name="mift", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
        help=f"mift_ros {__version__}: where is the drone when GNSS is gone.",
    )  # fmt: skip
    root.callback()(lambda: None)
    for name, text in {**GROUPS, **PLUGINS}.items():
        group = _load(name) if name == called else _placeholder()
        if len(group.registered_commands) == 1 and group.registered_callback is None:
            root.command(name, help=text)(group.registered_commands[0].callback or main)
        else:
            root.add_typer(group, name=name, help=text)
    return root


def _placeholder() -> typer.Typer:
    """Stands for a group that is not called, so that `mift --help` imports nothing."""
    group = typer.Typer()
    group.command()(lambda: None)
    return group


def main() -> None:
    """Entry point of `mift`."""
    keep_blas_single()
    known = {**GROUPS, **PLUGINS}
    called = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
    try:
        _root(called if called in known else None)()
    except MiftError as error:
        print(f"mift: {' '.join(str(error).splitlines())}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        where = "" if error.filename is None else f"{error.filename}: "  # a full disk names no file
        print(f"mift: {where}{error.strerror or first_line(error)}", file=sys.stderr)
        sys.exit(2)
    except ModuleNotFoundError as error:
        print(f"mift: {_missing(called, error)}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("mift: interrupted", file=sys.stderr)
        sys.exit(130)


def _missing(called: str | None, error: ModuleNotFoundError) -> str:
    """Name the extra that brings a missing package."""
    extras = {"train": "train", "model": "train", "export": "export"}
    extra = "train" if error.name == "torch" and called == "bench" else extras.get(called or "", "eval")
    return f"`mift {called}` needs the Python package {error.name!r}: pip install 'mift_ros[{extra}]'"


if __name__ == "__main__":
    main()
