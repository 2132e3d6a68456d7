"""Changes of a row: which view each hits, and that nothing happens where nothing is asked."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from training.data.multiview.augment import FILL, augment_row
from training.recipes.data_schema import AugmentSpec

SIDE = 32
EVERYTHING = AugmentSpec(0.5, 0.5, 0.1, 0.1, True, 1.0, 1.0, 1.0, 1.0)


def image(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)


SATELLITE, DRONE = image(1), image(2)


def rows(spec: AugmentSpec, count: int = 60) -> list[tuple[np.ndarray, np.ndarray]]:
    return [augment_row(SATELLITE, DRONE, spec, np.random.default_rng(seed)) for seed in range(count)]


def turns(changed: np.ndarray, original: np.ndarray) -> int | None:
    return next((k for k in range(4) if np.array_equal(changed, np.rot90(original, k))), None)


def test_nothing_asked_nothing_changed() -> None:
    assert all(np.array_equal(s, SATELLITE) and np.array_equal(d, DRONE) for s, d in rows(AugmentSpec(), 5))


def test_flipping_together_hits_both_views_or_none() -> None:
    flips = [
        (np.array_equal(s, SATELLITE[:, ::-1]), np.array_equal(d, DRONE[:, ::-1]))
        for s, d in rows(AugmentSpec(flip_together=0.5))
    ]
    assert all(satellite == drone for satellite, drone in flips)
    assert 10 < sum(satellite for satellite, _ in flips) < 50


def test_flipping_alone_leaves_the_views_independent() -> None:
    flips = {(np.array_equal(s, SATELLITE), np.array_equal(d, DRONE)) for s, d in rows(AugmentSpec(flip=0.5))}
    assert flips == {(True, True), (True, False), (False, True), (False, False)}


def test_quarter_turns_hit_the_satellite_only() -> None:
    changed = rows(AugmentSpec(satellite_turns=True))
    assert {turns(satellite, SATELLITE) for satellite, _ in changed} == {0, 1, 2, 3}
    assert all(np.array_equal(drone, DRONE) for _, drone in changed)


def test_a_shift_moves_the_satellite_by_no_more_than_its_share() -> None:
    for satellite, drone in rows(AugmentSpec(satellite_shift=0.125)):
        assert np.array_equal(drone, DRONE)
        inner = satellite[4:-4, 4:-4]
        places = [
            (y, x) for y in range(9) for x in range(9) if np.array_equal(SATELLITE[y : y + 24, x : x + 24], inner)
        ]
        assert len(places) == 1


def test_a_crop_moves_both_views_each_by_its_own() -> None:
    changed = rows(AugmentSpec(crop=0.1))
    assert sum(not np.array_equal(satellite, SATELLITE) for satellite, _ in changed) > 40
    assert sum(not np.array_equal(drone, DRONE) for _, drone in changed) > 40
    assert all(satellite.shape == drone.shape == (SIDE, SIDE, 3) for satellite, drone in changed)


@pytest.mark.parametrize("look", ["colour", "focus", "jpeg", "dropout"])
def test_each_look_changes_both_views_and_keeps_their_shape(look: str) -> None:
    for satellite, drone in rows(AugmentSpec(**{look: 1.0}), 10):
        for changed, original in ((satellite, SATELLITE), (drone, DRONE)):
            assert changed.shape == original.shape and changed.dtype == np.uint8
            assert not np.array_equal(changed, original)


def test_dropout_leaves_most_of_the_image_and_fills_with_what_becomes_zero() -> None:
    for _, drone in rows(AugmentSpec(dropout=1.0), 30):
        holes = (drone == FILL).all(axis=2)
        assert 0.01 < holes.mean() < 0.6
        assert np.array_equal(drone[~holes], DRONE[~holes])


def test_a_row_is_a_function_of_its_generator_and_leaves_the_files_images_alone() -> None:
    before = SATELLITE.copy(), DRONE.copy()
    for (a, b), (c, d) in zip(rows(EVERYTHING, 20), rows(EVERYTHING, 20)):
        assert np.array_equal(a, c) and np.array_equal(b, d)
    assert np.array_equal(before[0], SATELLITE) and np.array_equal(before[1], DRONE)
