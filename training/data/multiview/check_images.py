"""Decode the images of a set, all or a sample, to tell damaged ones and those of another size than the rest."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from mift_ros.errors import TrainingError
from training.data.multiview.images import decode

SAMPLE = 50
"""Images of each part that are decoded when not all are."""
AT_ONCE = 256

Result = tuple[Path, tuple[int, int] | None]
"""A file and its height and width; None when it is damaged."""
Progress = Callable[[Iterable[Result], int], Iterable[Result]]
"""Shows how many of so many results there are, and passes them on."""


def no_progress(results: Iterable[Result], total: int) -> Iterable[Result]:
    """Show nothing."""
    return results


def damaged_and_odd(
    parts: Sequence[tuple[Path, ...]], side_px: int, deep: bool, progress: Progress
) -> tuple[int, list[str], list[str]]:
    """How many images were decoded, the damaged ones among them, and a line for each part with unexpected sizes."""
    chosen = [files if deep else _sample(files) for files in parts]
    files = tuple(dict.fromkeys(path for part in chosen for path in part))
    sizes = dict(progress(_decoded(files), len(files)))
    damaged = [str(path) for path, size in sizes.items() if size is None]
    odd = [line for part in chosen for line in _odd(part, sizes, side_px)]
    return len(files), damaged, list(dict.fromkeys(odd))


def _sample(files: tuple[Path, ...]) -> tuple[Path, ...]:
    chosen = np.random.default_rng(0).permutation(len(files))[:SAMPLE]
    return tuple(files[index] for index in sorted(chosen.tolist()))


def _decoded(files: Sequence[Path]) -> Iterator[Result]:
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for start in range(0, len(files), AT_ONCE):
            yield from pool.map(_measure, files[start : start + AT_ONCE])


def _measure(path: Path) -> Result:
    try:
        height, width = decode(path).shape[:2]
    except TrainingError:
        return path, None
    return path, (height, width)


def _odd(files: tuple[Path, ...], sizes: dict[Path, tuple[int, int] | None], side_px: int) -> Iterator[str]:
    """Compared with the side the authors give, or with the most frequent size of the part."""
    counts = Counter(size for path in files if (size := sizes[path]) is not None)
    if not counts:
        return
    expected = (side_px, side_px) if side_px else counts.most_common(1)[0][0]
    odd = [path for path in files if sizes[path] not in (expected, None)]
    if odd:
        first = sizes[odd[0]] or (0, 0)
        found = f"{first[1]} x {first[0]}, like {odd[0]}"
        yield f"{len(odd)} of {len(files)} images looked at are not {expected[1]} x {expected[0]} but {found}"
