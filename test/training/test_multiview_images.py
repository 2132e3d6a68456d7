"""Files to arrays: the model's own resizing, every damaged file refused by name, order kept."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from mift_ros.errors import TrainingError
from training.data.multiview.images import load_images, read_image


def scene(side: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Smooth colours with some detail, as photos have."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (8, 8, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)


def write(path: Path, rgb: npt.NDArray[np.uint8]) -> Path:
    cv2.imwrite(str(path), rgb[..., ::-1])
    return path


def test_colours_are_rgb_and_the_size_is_the_networks(tmp_path: Path) -> None:
    red = np.zeros((40, 40, 3), np.uint8)
    red[..., 0] = 200
    image = read_image(write(tmp_path / "a.png", red), 32)
    assert image.shape == (32, 32, 3) and image.dtype == np.uint8 and image[5, 5].tolist() == [200, 0, 0]


def test_resizing_is_that_of_the_models(tmp_path: Path) -> None:
    image = scene(96)
    expected = cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA)
    assert np.array_equal(read_image(write(tmp_path / "a.png", image), 64), expected)


def test_reduced_decoding_is_close_to_exact_and_never_enlarges(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jpg", scene(512))
    exact, reduced = read_image(path, 224), read_image(path, 224, reduced=True)
    assert np.abs(exact.astype(int) - reduced).mean() < 3.0
    assert np.array_equal(read_image(path, 257), read_image(path, 257, reduced=True))


@pytest.mark.parametrize("suffix", ["png", "tif", "webp", "JPG"])
def test_grey_and_other_formats_become_rgb(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    cv2.imwrite(str(path), scene(64)[..., 0])
    assert read_image(path, 64).shape == (64, 64, 3)


def test_damaged_files_are_named_in_one_line(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.jpg", scene(64)).read_bytes()
    for name, data in (("cut.jpg", whole[: len(whole) // 2]), ("empty.jpg", b""), ("text.jpg", b"not an image")):
        (tmp_path / name).write_bytes(data)
        for reduced in (False, True):
            with pytest.raises(TrainingError, match=f"{name}: damaged or no image") as caught:
                read_image(tmp_path / name, 32, reduced)
            assert "\n" not in str(caught.value) and str(caught.value).count(name) == 1
    with pytest.raises(TrainingError, match=r"gone\.jpg: no such image"):
        read_image(tmp_path / "gone.jpg", 32)


@pytest.mark.parametrize("workers", [1, 3])
def test_images_come_in_the_order_of_their_files(workers: int, tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{i}.png", np.full((8, 8, 3), i, np.uint8)) for i in range(23)]
    batches = list(load_images(paths, 8, batch=5, workers=workers))
    assert [len(batch) for batch in batches] == [5, 5, 5, 5, 3]
    assert np.concatenate(batches)[:, 0, 0, 0].tolist() == list(range(23))
    assert list(load_images([], 8)) == []


def test_a_damaged_file_ends_the_loading(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{i}.png", np.full((8, 8, 3), i, np.uint8)) for i in range(9)]
    paths[4].write_bytes(b"")
    with pytest.raises(TrainingError, match=r"4\.png: damaged"):
        list(load_images(paths, 8, batch=3))
