"""A console that shows names and texts of files as they are: in `site[old].tif` rich would see markup."""

from __future__ import annotations

from rich.console import Console


def plain_console(stderr: bool = False, least_width: int = 0) -> Console:
    """Colours are given by `style` or a Text; at least so many columns, also where less is there, as in a log."""
    width = max(Console(stderr=stderr).width, least_width) if least_width else None
    return Console(stderr=stderr, width=width, markup=False, emoji=False)
