"""Parameters: known, typed, in range, or refused with the name."""

import pytest

from mift_ros.errors import ConfigError
from mift_ros.localization.config import LocalizerConfig


def test_values_replace_defaults_and_whole_numbers_pass_for_floats():
    config = LocalizerConfig.from_mapping({"yaw_bins": 12, "min_lead": 2})
    assert (config.yaw_bins, config.min_lead) == (12, 2.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"yaw_bin": 12}, "did you mean 'yaw_bins'"),
        ({"zzz": 1}, "known: use_attitude"),
        ({"yaw_bins": 0}, "outside 1 to 360"),
        ({"yaw_bins": 1.5}, "must be int"),
        ({"use_heading": 1}, "must be bool"),
        ({"min_significance": float("nan")}, "outside"),
        ({"height_agl_min_m": 400.0}, "above height_agl_max_m"),
    ],
)
def test_unknown_names_wrong_types_and_values_out_of_range_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        LocalizerConfig.from_mapping(values)
