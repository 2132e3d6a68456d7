"""The classical score of a shift: the sum of the products over the root of both energies."""

import cv2
import numpy as np
import pytest

from mift_ros.evaluation.peers import normalised
from mift_ros.localization import structure

ALL = np.full((80, 80), 255, np.uint8)


def scene(seed, size=220):
    """Blots of all brightnesses: edges in all places, no two alike."""
    noise = np.random.default_rng(seed).integers(0, 256, (size, size)).astype(np.uint8)
    return cv2.equalizeHist(cv2.GaussianBlur(noise, (0, 0), 3.0))


def by_definition(template_grey, valid, window_grey, row, col):
    t = structure.orientation_field(template_grey, valid)
    w = structure.orientation_field(window_grey, window_grey)[row : row + len(t), col : col + len(t)]
    mask = structure.inner(valid)
    return (t * w).sum() / np.sqrt((t**2).sum() * ((w**2).sum(axis=2) * mask).sum())


def correlated(grey, valid, window):
    side = structure.transform_size(len(grey), len(window))
    return normalised.correlate(normalised.make_template(grey, valid, side), normalised.make_window(window, side))


def test_the_score_of_every_shift_is_the_definition():
    window, grey, valid = scene(7)[:96, :96], scene(8)[:80, :80], ALL.copy()
    valid[:30, :20] = 0
    field = correlated(grey, valid, window)
    for row, col in [(0, 0), (16, 0), (2, 4), (16, 16)]:
        assert field[row, col] == pytest.approx(by_definition(grey, valid, window, row, col), abs=1e-5)


def test_the_place_itself_scores_one_and_nothing_more():
    image = scene(0)
    field = correlated(image[60:140, 35:115], ALL, image)
    assert divmod(int(field.argmax()), field.shape[1]) == (60, 35)
    assert 0.95 < field.max() <= 1.0


@pytest.mark.parametrize("grey", [0, 128])
def test_empty_and_flat_ground_scores_nothing(grey):
    field = correlated(scene(0)[:80, :80], ALL, np.full((120, 120), grey, np.uint8))
    assert np.isfinite(field).all()
    assert np.abs(field).max() < 0.05
