"""Parameters from files and words."""

import pytest

from mift_ros.errors import ConfigError
from mift_ros.evaluation.settings import read_settings


def test_words_win_over_the_file_and_keep_their_types(tmp_path):
    file = tmp_path / "p.yaml"
    file.write_text("yaw_bins: 12\nuse_heading: false\n")
    values = read_settings(file, ["yaw_bins=72", "min_lead=1.5", "model=mift_s"])
    assert values == {"yaw_bins": 72, "use_heading": False, "min_lead": 1.5, "model": "mift_s"}


def test_the_nodes_own_file_is_read(tmp_path):
    file = tmp_path / "node.yaml"
    file.write_text("/**:\n  ros__parameters:\n    yaw_bins: 18\n")
    assert read_settings(file, []) == {"yaw_bins": 18}


def test_nothing_given():
    assert read_settings(None, []) == {}


@pytest.mark.parametrize("word", ["yaw_bins", "=3", ""])
def test_a_word_without_a_name_and_a_value(word):
    with pytest.raises(ConfigError, match="is not NAME=VALUE"):
        read_settings(None, [word])


@pytest.mark.parametrize("text", ["- 1\n- 2\n", "a: {b: 1}\n", "42\n", "a: [1, 2]\n"])
def test_a_file_of_another_shape(tmp_path, text):
    (tmp_path / "p.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"p.yaml: neither names with values"):
        read_settings(tmp_path / "p.yaml", [])


def test_broken_yaml_and_missing_file_are_one_line(tmp_path):
    (tmp_path / "p.yaml").write_text("a: [1,\n")
    for name in ("p.yaml", "absent.yaml"):
        with pytest.raises(ConfigError, match=name) as caught:
            read_settings(tmp_path / name, [])
        assert "\n" not in str(caught.value)
