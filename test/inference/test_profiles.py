"""Batches to optimization profiles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mift_ros.errors import ModelError
from mift_ros.inference.profiles import DEFAULT_BATCHES, MAX_BATCH, parse_batches, profile_for, ranges
from mift_ros.localization.config import LocalizerConfig

BATCHES = st.sets(st.integers(1, MAX_BATCH), min_size=1, max_size=6).map(lambda sizes: tuple(sorted(sizes)))


def test_the_default_sizes_are_those_that_the_localizer_asks_for():
    """One look; the looks of a known heading; those of every heading."""
    config = LocalizerConfig()
    assert (1, config.looks, config.yaw_bins * config.looks) == DEFAULT_BATCHES


def test_ranges_by_hand():
    assert ranges((1, 36, 108)) == [(1, 1), (2, 36), (37, 108)]
    assert ranges((8,)) == [(1, 8)]


@given(BATCHES)
def test_every_batch_up_to_the_largest_has_exactly_one_profile(batches):
    held = [batch for smallest, largest in ranges(batches) for batch in range(smallest, largest + 1)]
    assert held == list(range(1, batches[-1] + 1))
    for index, (smallest, largest) in enumerate(ranges(batches)):
        assert profile_for(batches, smallest) == profile_for(batches, largest) == index


@given(BATCHES)
def test_batches_survive_their_text(batches):
    assert parse_batches(",".join(map(str, batches))) == batches


@pytest.mark.parametrize("batch", [0, -1, 109])
def test_a_batch_that_no_profile_holds_is_refused(batch):
    with pytest.raises(
        ModelError, match=f"no profile of the engine holds a batch of {batch}: it was built for 1 to 108"
    ):
        profile_for((1, 36, 108), batch)


@pytest.mark.parametrize("text", ["", "0", "1,1", "36,1", "1,x", "1.5", "-4", "1,2000", "1,,2"])
def test_a_list_of_batches_that_is_none_is_refused(text):
    with pytest.raises(ModelError, match="give whole numbers that grow, from 1 to 1024"):
        parse_batches(text)
