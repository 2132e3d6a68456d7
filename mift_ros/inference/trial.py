"""A loaded model is tried on noise, so that one that does not fit its identity fails at load and not in flight."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from mift_ros.errors import ModelError, first_line
from mift_ros.inference.embedder import ModelIdentity

Embed = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]
NORM_TOLERANCE = 1e-2
"""Half precision keeps a unit vector's norm within 1e-3."""
MIN_COSINE = 0.9
"""Between batch sizes: rounding may swap two regions of noise, a few hundredths; spoilt results are near 0."""


def try_out(embed: Embed, identity: ModelIdentity, where: str, remedy: str = "export the model again") -> None:
    """Embed two noise images and look at what comes; `where` names the file, `remedy` what to do about such outputs.

    Raises:
        ModelError: it does not run, or what comes are not unit vectors of the identity's dimension.
    """
    size, dim = identity.input_size, identity.embedding_dim
    noise = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), dtype=np.uint8)
    try:
        embeddings = embed(noise)
    except Exception as error:  # the errors of the runtimes share no base class but Exception
        raise ModelError(f"{where}: the model does not run on {size}x{size} images: {first_line(error)}") from error
    if embeddings.shape != (2, dim):
        raise ModelError(f"{where}: the output is {list(embeddings.shape)}, its identity says [batch, {dim}]")
    norms = np.linalg.norm(embeddings, axis=1)
    if not np.allclose(norms, 1.0, atol=NORM_TOLERANCE):
        raise ModelError(f"{where}: embeddings have norm {norms.max():.3g} instead of 1; {remedy}")


def try_batches(embed: Embed, batches: tuple[int, ...], identity: ModelIdentity, where: str) -> None:
    """Embed one noise image in a batch of each size, twice in turns; it must come out the same each time.

    Contexts of different profiles have spoilt each other's results without an error (TensorRT issue 2648).

    Raises:
        ModelError: it does not.
    """
    size = identity.input_size
    noise = np.random.default_rng(1).integers(0, 256, (1, size, size, 3), dtype=np.uint8)
    expected = embed(noise)[0]
    for batch in batches * 2:
        cosine = float((embed(np.repeat(noise, batch, axis=0)) @ expected).min())
        if not cosine >= MIN_COSINE:
            raise ModelError(
                f"{where}: one image comes out differently in a batch of {batch} (cosine {cosine:.3f}); build the "
                "engine for a single batch size ('mift export tensorrt --batch')"
            )
