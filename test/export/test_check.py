"""In which parts `mift export check` hands images to a model."""

from types import SimpleNamespace

import numpy as np
import pytest

from export.check import embed
from export.imagery import Pairs


class Counting:
    """An embedder that counts the images that it is given in each size of batch, and gives each its own number."""

    identity = SimpleNamespace(embedding_dim=1)

    def __init__(self, **batches):
        self.given = {}
        self.__dict__.update(batches)

    def embed(self, images):
        self.given[len(images)] = self.given.get(len(images), 0) + len(images)
        return images.reshape(len(images), -1)[:, :1].astype(np.float32)


def pairs(count):
    numbers = np.arange(2 * count, dtype=np.uint16).reshape(2, count, 1)
    return Pairs(*numbers)


@pytest.mark.parametrize("batches", [(1, 3, 54), (1, 36), (1, 1024), (4,)])
def test_each_profile_of_an_engine_embeds_its_share(batches):
    embedder = Counting(batches=batches)
    embedded = embed(embedder, pairs(500))
    np.testing.assert_array_equal(np.concatenate([embedded.gallery, embedded.queries])[:, 0], np.arange(1000))
    smallest = (0, *batches)
    for below, largest in zip(smallest, batches):
        held = sum(images for size, images in embedder.given.items() if below < size <= largest)
        assert held >= 0.75 * 1000 / len(batches)


def test_what_has_no_profiles_embeds_few_at_a_time():
    embedder = Counting()
    embed(embedder, pairs(50))
    assert embedder.given == {6: 96, 4: 4}
