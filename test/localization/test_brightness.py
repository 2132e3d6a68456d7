"""The same ground agrees in what is bright and what is dark; edges of other ground say nothing of it."""

import cv2
import numpy as np
import pytest

from mift_ros.localization import brightness

GSD_M, SIDE = 2.0, 80
ALL = np.full((SIDE, SIDE), 255, np.uint8)


def blocks(seed, size=SIDE):
    """Roofs of some ten metres, bright and dark."""
    rng = np.random.default_rng(seed)
    image = np.full((size, size), 110, np.uint8)
    for _ in range(size * size // 40):
        x, y, w, h = rng.integers([0, 0, 3, 3], [size, size, 8, 8])
        image[y : y + h, x : x + w] = rng.integers(30, 230)
    return image


def score(view, valid, window):
    shade = brightness.shade_of(view, valid, GSD_M)
    return float(brightness.scores(shade, brightness.shifted(window, SIDE, 1)).max())


def middle(image):
    off = (len(image) - SIDE) // 2
    return image[off : off + SIDE, off : off + SIDE]


def test_the_same_ground_scores_near_one_and_other_ground_near_nothing():
    ground = blocks(0, SIDE + 12)
    assert score(middle(ground), ALL, ground) > 0.95
    assert abs(score(middle(blocks(1, SIDE + 12)), ALL, ground)) < 0.2


@pytest.mark.parametrize("step", [(1, 0), (-1, 1), (0, -1)])
def test_a_pixel_of_shift_is_allowed(step):
    ground = blocks(2, SIDE + 12)
    assert score(np.roll(middle(ground), step, (0, 1)), ALL, ground) > 0.9


def test_turned_brightness_scores_below_nothing():
    ground = blocks(3, SIDE + 12)
    assert score(255 - middle(ground), ALL, ground) < -0.5


def test_haze_and_another_exposure_change_little():
    ground = blocks(4, SIDE + 12)
    haze = np.linspace(0, 60, SIDE)[None, :]
    hazy = (0.6 * middle(ground) + 20 + haze).astype(np.uint8)
    assert score(hazy, ALL, ground) > 0.85


def test_what_is_not_valid_in_the_view_or_the_map_does_not_count():
    ground = blocks(5, SIDE + 12)
    view, valid, map_ = middle(ground).copy(), ALL.copy(), ground.copy()
    view[:, 40:], valid[:, 40:] = middle(blocks(6, SIDE + 12))[:, 40:], 0
    map_[:20] = 0
    assert score(view, valid, map_) > 0.9


def test_one_white_roof_counts_little():
    """Of contrast beyond SATURATED grey levels there is hardly more."""
    ground = blocks(7, SIDE + 12)
    roof = middle(ground).copy()
    cv2.rectangle(roof, (30, 30), (42, 42), 255, -1)
    assert score(roof, ALL, ground) > 0.8


@pytest.mark.parametrize("grey", [0, 90])
def test_flat_ground_and_no_ground_agree_with_nothing(grey):
    flat = np.full((SIDE + 2, SIDE + 2), grey, np.uint8)
    assert score(blocks(8), ALL, flat) == pytest.approx(0.0, abs=0.01)
    assert score(flat[1:-1, 1:-1], ALL, blocks(9, SIDE + 2)) == pytest.approx(0.0, abs=0.01)


def test_many_windows_at_once_score_as_each_alone():
    shade = brightness.shade_of(blocks(10), ALL, GSD_M)
    windows = np.concatenate([brightness.shifted(blocks(k, SIDE + 12), SIDE, 6) for k in (10, 11, 12)])
    each = [float(brightness.scores(shade, window[None])[0]) for window in windows]
    assert brightness.scores(shade, windows, windows**2) == pytest.approx(each, abs=1e-5)
    assert windows.shape == (27, SIDE**2)
