"""Which batches an engine is built for: no batch size is baked in, and the sizes in use are the tuned ones.

From sizes such as 1, 3, 54 come the ranges 1, 2 to 3, 4 to 54, each tuned for its largest. What is larger than
all is embedded in parts.
"""

from __future__ import annotations

from mift_ros.errors import ModelError

DEFAULT_BATCHES = (1, 3, 54)
"""What the localizer asks for as it is configured: one look, three of a known heading, three of each of 18."""
MAX_BATCH = 1024


def parse_batches(text: str) -> tuple[int, ...]:
    """Sizes from '1,3,54'.

    Raises:
        ModelError: not whole numbers that grow from 1 to MAX_BATCH.
    """
    try:
        batches = tuple(int(part) for part in text.split(","))
    except ValueError:
        batches = ()
    if not batches or list(batches) != sorted(set(batches)) or not 1 <= batches[0] <= batches[-1] <= MAX_BATCH:
        raise ModelError(f"batch {text!r}: give whole numbers that grow, from 1 to {MAX_BATCH}, such as 1,3,54")
    return batches


def ranges(batches: tuple[int, ...]) -> list[tuple[int, int]]:
    """Smallest and largest batch of each profile."""
    return [(below + 1, size) for below, size in zip((0, *batches), batches)]


def profile_for(batches: tuple[int, ...], batch: int) -> int:
    """Index of the profile that holds a batch.

    Raises:
        ModelError: none does.
    """
    for index, (smallest, largest) in enumerate(ranges(batches)):
        if smallest <= batch <= largest:
            return index
    raise ModelError(f"no profile of the engine holds a batch of {batch}: it was built for 1 to {batches[-1]}")
