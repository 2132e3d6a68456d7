"""Whole files or none."""

import pytest

from mift_ros.files import replacing, write_file


def test_a_file_is_replaced_whole_and_text_is_utf_8(tmp_path):
    path = tmp_path / "report.md"
    write_file(path, b"old")
    write_file(path, "1°")
    assert path.read_bytes() == "1°".encode()
    assert list(tmp_path.iterdir()) == [path]


def test_what_ends_badly_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "weights"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_of_one_file_do_not_disturb_each_other(tmp_path):
    path = tmp_path / "timing.cache"
    with replacing(path) as slow:
        slow.write_text("slow")
        write_file(path, "fast")
        assert path.read_text() == "fast"
    assert path.read_text() == "slow"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_file(tmp_path / "none" / "report.md", "text")
