"""Waves that the whole map is full of count less."""

import numpy as np
import pytest

from mift_ros.localization import structure
from mift_ros.localization.clutter import FIELD_PX, Clutter


def lattice(shift, size=FIELD_PX):
    """Blocks of a town, 16 pixels apart, every one like the others."""
    y, x = np.indices((size, size)) + np.array(shift)[:, None, None]
    return np.where((x % 16 < 10) & (y % 16 < 10), 180, 60).astype(np.uint8)


def noise(seed):
    return np.random.default_rng(seed).integers(1, 255, (FIELD_PX, FIELD_PX)).astype(np.uint8)


def windows(count=8):
    return [lattice((3 * k, 5 * k)) for k in range(count)]


def test_weights_are_of_half_a_spectrum_positive_and_one_on_average():
    for side in (96, 100, 224):
        weight = Clutter(windows(), 1.0).weight(side)
        assert weight.shape == (side, side // 2 + 1)
        assert (weight > 0).all()
        assert weight.mean() == pytest.approx(1.0, rel=1e-5)


def test_the_waves_of_the_lattice_count_less_than_those_between():
    weight = Clutter(windows(), 1.0).weight(128)
    assert weight[8, 0] < weight[4, 0] / 2  # 8 periods of 16 pixels, along either axis
    assert weight[0, 8] < weight[0, 4] / 2


def test_on_clutter_of_all_waves_alike_only_the_short_ones_are_damped():
    windows = [noise(k) for k in range(32)]
    fine, coarse = Clutter(windows, 1.0).weight(128), Clutter(windows, 3.0).weight(128)
    assert fine[0, 60] / fine[0, 10] < coarse[0, 60] / coarse[0, 10]  # what 0.7 m are in pixels


def test_a_negative_frequency_counts_as_its_mirror_image():
    weight = Clutter([noise(k) for k in range(4)], 1.0).weight(128)
    assert weight[1:, 0] == pytest.approx(weight[:0:-1, 0], rel=1e-3)


def test_a_map_without_structure_has_weights_still():
    clutter = Clutter([np.full((FIELD_PX, FIELD_PX), 90, np.uint8)], 1.0)
    assert clutter.texture == 0.0
    assert np.isfinite(clutter.weight(96)).all()


def test_the_one_odd_roof_of_a_town_of_equal_blocks_tells_the_place():
    """Shifts by whole blocks score nearly alike; weighted, the one at which the roof fits too stands out further."""
    town = lattice((0, 0), 224)
    town[101:106, 115:121] = 20
    view, valid = town[64:160, 64:160], np.full((96, 96), 255, np.uint8)
    clutter, side = Clutter(windows(), 1.0), structure.transform_size(96, 224)
    window = structure.make_window(town, side)

    def lead(weight):
        template = structure.make_template(view, valid, side, clutter.texture, weight=weight)
        field = structure.correlate(template, window)[8:121, 8:121]  # the window's own border has no edges
        assert divmod(int(field.argmax()), 113) == (56, 56)
        best, spread = field[56, 56], field.std()
        return (best - np.delete(field, slice(53, 60), axis=0).max()) / spread

    assert lead(clutter.weight(side)) > 10 * lead(None)
