"""Camera or map pixels to the network's input, exactly as the model identity says."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from mift_ros.errors import ImageError, ModelError
from mift_ros.inference.embedder import ModelIdentity

INTERPOLATIONS = {
    "nearest": cv2.INTER_NEAREST,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
}
CHANNELS = {"rgb": (0, 1, 2), "bgr": (2, 1, 0)}


class Preprocessor:
    """RGB uint8 [B, H, W, 3] to float32 [B, 3, S, S]: resized, channels reordered, (x / 255 - mean) / std."""

    def __init__(self, identity: ModelIdentity) -> None:
        """Prepare for one model.

        Raises:
            ModelError: the identity names an interpolation or colour order that is not known here.
        """
        if identity.interpolation not in INTERPOLATIONS or identity.colour_order not in CHANNELS:
            raise ModelError(
                f"{identity.name}: preprocessing {identity.interpolation!r}, {identity.colour_order!r} is unknown; "
                f"known are {', '.join(INTERPOLATIONS)} and {', '.join(CHANNELS)}"
            )
        self._size = identity.input_size
        self._interpolation = INTERPOLATIONS[identity.interpolation]
        self._channels = CHANNELS[identity.colour_order]
        levels = np.arange(256, dtype=np.float64) / 255.0
        # A table per channel gives the same float for a pixel value whatever the batch, and no temporary arrays.
        self._tables = [((levels - m) / s).astype(np.float32) for m, s in zip(identity.mean, identity.std)]

    def check(self, images: npt.NDArray[np.uint8]) -> None:
        """Refuse what is not a batch of images.

        Raises:
            ImageError: not uint8 [B, H, W, 3].
        """
        if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8 or 0 in images.shape:
            raise ImageError(f"images must be uint8 [B, H, W, 3], not {images.dtype} {list(images.shape)}")

    def __call__(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Convert a batch.

        Raises:
            ImageError: see check.
        """
        self.check(images)
        if images.shape[1:3] != (self._size, self._size):
            images = np.stack([self._resize(image) for image in images])
        tensor = np.empty((len(images), 3, self._size, self._size), np.float32)
        for plane, (channel, table) in enumerate(zip(self._channels, self._tables)):
            np.take(table, images[..., channel], out=tensor[:, plane], mode="clip")
        return tensor

    def _resize(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        resized = cv2.resize(image, (self._size, self._size), interpolation=self._interpolation)
        return np.asarray(resized, np.uint8)
