"""Structural correlation finds a patch in a map, whichever side of an edge is bright."""

import cv2
import numpy as np
import pytest

from mift_ros.localization import structure


def scene(seed, size=220):
    """Random overlapping rectangles: edges in all places, no two alike."""
    rng = np.random.default_rng(seed)
    image = np.full((size, size), 120, np.uint8)
    for _ in range(150):
        x, y, w, h = rng.integers(0, size, 2).tolist() + rng.integers(5, 40, 2).tolist()
        box = cv2.boxPoints(((x, y), (w, h), float(rng.uniform(0, 90)))).astype(np.int32)
        cv2.fillPoly(image, [box], int(rng.integers(20, 235)))
    return image


def best(template_grey, valid, window_grey):
    side = structure.transform_size(len(template_grey), len(window_grey))
    template = structure.make_template(template_grey, valid, side)
    return structure.subpixel_peak(structure.correlate(template, structure.make_window(window_grey, side)))


ALL = np.full((80, 80), 255, np.uint8)


def test_a_crop_is_found_where_it_was_cut_with_a_score_near_one():
    image = scene(0)
    x, y, score = best(image[60:140, 35:115], ALL, image)
    assert (x, y) == pytest.approx((35, 60), abs=0.1)
    assert score > 0.95


def test_inverted_brightness_does_not_matter():
    image = scene(1)
    x, y, score = best(255 - image[60:140, 35:115], ALL, image)
    assert (x, y) == pytest.approx((35, 60), abs=0.1)
    assert score > 0.9


def test_what_is_masked_out_does_not_matter():
    image = scene(2)
    patch, valid = image[60:140, 35:115].copy(), ALL.copy()
    patch[:, 40:], valid[:, 40:] = scene(3)[:80, :40], 0
    x, y, score = best(patch, valid, image)
    assert (x, y) == pytest.approx((35, 60), abs=0.1)
    assert score > 0.9


def test_another_place_scores_low():
    *_, score = best(scene(5)[60:140, 35:115], ALL, scene(4))
    assert score < 0.35


def test_scores_stay_in_range_on_empty_and_flat_windows():
    for grey in (0, 128):
        window = np.full((120, 120), grey, np.uint8)
        side = structure.transform_size(80, 120)
        field = structure.correlate(
            structure.make_template(scene(0)[:80, :80], ALL, side), structure.make_window(window, side)
        )
        assert field.shape == (41, 41)
        assert np.isfinite(field).all()
        assert np.abs(field).max() <= 1.0
        assert np.abs(field).max() < 0.05


def test_a_parabola_finds_the_peak_between_pixels():
    y, x = np.indices((21, 21))
    x_found, y_found, score = structure.subpixel_peak(np.float32(1 - 0.01 * ((x - 9.3) ** 2 + (y - 12.6) ** 2)))
    assert (x_found, y_found) == pytest.approx((9.3, 12.6), abs=1e-3)
    assert score == pytest.approx(1.0, abs=1e-4)  # 0.9975 at the nearest pixel


def test_a_value_that_is_no_maximum_and_one_at_the_border_are_taken_as_they_are():
    """A second place may be the slope of the first: a parabola through it has its vertex elsewhere."""
    field = np.float32(np.arange(5) ** 2 + np.zeros((5, 1)))
    assert structure.subpixel_peak(field, (2, 2)) == (2.0, 2.0, 4.0)
    assert structure.subpixel_peak(field) == (4.0, 0.0, 16.0)


def by_definition(template_grey, valid, window_grey, row, col):
    """The score of one shift: the sum of the products over the root of the energies."""
    t = structure.orientation_field(template_grey, valid)
    w = structure.orientation_field(window_grey, window_grey)[row : row + len(t), col : col + len(t)]
    mask = structure.inner(valid)
    return (t * w).sum() / np.sqrt((t**2).sum() * ((w**2).sum(axis=2) * mask).sum())


@pytest.mark.parametrize("size", [96, 85, 210], ids=["few shifts", "odd", "most shifts"])
def test_the_score_of_every_shift_is_the_definition_however_it_is_computed(size):
    window = scene(7)[:size, :size]
    grey, valid = scene(8)[:80, :80], ALL.copy()
    valid[:30, :20] = 0
    side = structure.transform_size(80, size)
    field = structure.correlate(structure.make_template(grey, valid, side), structure.make_window(window, side))
    assert field.shape == (size - 79, size - 79)
    for row, col in [(0, 0), (size - 80, 0), (2, 4), (size - 80, size - 80)]:
        assert field[row, col] == pytest.approx(by_definition(grey, valid, window, row, col), abs=1e-5)


@pytest.mark.parametrize("size", [5, 88, 97, 225, 1023])
def test_a_transform_holds_the_window_and_its_side_is_a_multiple_of_4(size):
    side = structure.transform_size(size // 2, size)
    assert side >= size
    assert side % 4 == 0


def test_the_weight_of_waves_is_a_filter_of_the_view():
    """Weighting the half spectrum is filtering the padded field, and the norm is that of the field filtered halfway."""
    window, grey = scene(7)[:96, :96], scene(8)[:80, :80]
    weight = np.random.default_rng(0).uniform(0.5, 2.0, (96, 49)).astype(np.float32)
    weight[:, [0, -1]] = 1.0  # these columns hold both halves
    plain, weighted = (structure.make_template(grey, ALL, 96, weight=w) for w in (None, weight))
    ratio = structure.correlate(weighted, structure.make_window(window, 96)) * weighted.norm
    ratio /= structure.correlate(plain, structure.make_window(window, 96)) * plain.norm

    def waves(image):
        planes = np.moveaxis(structure.orientation_field(image, np.full_like(image, 255)), 2, 0)
        return [np.fft.rfft2(plane, (96, 96)) for plane in planes]

    matches = [sum(np.fft.irfft2(w * t.conj() * h) for t, w in zip(waves(grey), waves(window))) for h in (weight, 1.0)]
    assert ratio == pytest.approx((matches[0] / matches[1])[:17, :17], rel=1e-2)
    energy = sum((np.fft.irfft2(t * np.sqrt(weight)) ** 2).sum() for t in waves(grey))
    assert weighted.norm**2 == pytest.approx(energy, rel=1e-4)
