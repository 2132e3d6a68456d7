"""Another look of the same ground: other colours, the same places."""

import cv2
import numpy as np

from mift_ros.simulation.appearance import second_look


def checks() -> np.ndarray:
    rng = np.random.default_rng(0)
    coarse = rng.integers(40, 216, (40, 40, 3), dtype=np.uint8)
    return cv2.resize(coarse, (400, 400), interpolation=cv2.INTER_NEAREST)


def test_seeded():
    looks = [second_look(checks(), 0.5, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert np.array_equal(looks[0], looks[1])
    assert not np.array_equal(looks[0], looks[2])


def test_colours_change_and_places_stay():
    before = checks()
    for seed in range(5):
        after = second_look(before, 0.5, np.random.default_rng(seed))
        assert after.shape == before.shape and after.dtype == np.uint8
        assert np.abs(after.astype(int) - before).mean() > 8
        grey = [np.float32(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)) for image in (before, after)]
        (right, down), _ = cv2.phaseCorrelate(*grey)
        assert np.hypot(right, down) * 0.5 < 0.5
