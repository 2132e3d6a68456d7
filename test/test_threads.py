"""Threads of libraries are bounded before the libraries are there."""

import os
import subprocess
import sys

import pytest

from mift_ros.threads import keep_blas_single


@pytest.mark.parametrize(("asked", "given"), [(None, "1"), ("3", "3")])
def test_blas_has_one_thread_unless_the_user_asks_for_more(monkeypatch, asked, given):
    if asked is None:
        monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    else:
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", asked)
    keep_blas_single()
    assert os.environ["OPENBLAS_NUM_THREADS"] == given


@pytest.mark.parametrize("module", ["mift_ros.cli", "mift_ros.nodes.localizer"])
def test_no_entry_point_imports_numpy_before_it_can_bound_its_threads(module):
    code = f"import sys, {module}; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
