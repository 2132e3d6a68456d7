"""Threads of libraries are bounded before the libraries are there."""

import os
import subprocess
import sys

import pytest

from mift_ros import threads
from mift_ros.threads import keep_blas_single, processors


@pytest.mark.parametrize(("asked", "given"), [(None, "1"), ("3", "3")])
def test_blas_has_one_thread_unless_the_user_asks_for_more(monkeypatch, asked, given):
    if asked is None:
        monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    else:
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", asked)
    keep_blas_single()
    assert os.environ["OPENBLAS_NUM_THREADS"] == given


@pytest.mark.parametrize(
    ("quota", "share"),
    [("max 100000", 64), ("200000 100000", 2), ("150000 100000", 2), ("1000 100000", 1), ("nonsense", 64), (None, 64)],
)
def test_processors_are_those_allowed_and_no_more_than_the_containers_share(monkeypatch, tmp_path, quota, share):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(64)))
    monkeypatch.setattr(threads, "QUOTA", tmp_path / "cpu.max")
    if quota is not None:
        threads.QUOTA.write_text(quota)
    assert processors() == share


@pytest.mark.parametrize("module", ["mift_ros.cli", "mift_ros.nodes.localizer"])
def test_no_entry_point_imports_numpy_before_it_can_bound_its_threads(module):
    code = f"import sys, {module}; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
