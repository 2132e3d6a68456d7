"""Threads of libraries beside those of the runtime that embeds."""

from __future__ import annotations

import os


def keep_blas_single() -> None:
    """Give NumPy's OpenBLAS one thread, unless the user asks for more; to be called before NumPy is imported.

    Its products are small here, and its idle threads wait by spinning, on cores that the embedding needs next: with two
    of them a frame takes 1.3 times as long on two logical cores.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
