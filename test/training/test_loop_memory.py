"""Memory that a step frees is used by the next one."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
FAULTS = """
import resource
from training.loop.memory import keep_freed_memory

def touch():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    bytearray(64 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

{call}
touch()
print(touch())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_a_large_block_that_was_freed_is_given_out_again_without_a_page_fault():
    faults = {}
    for call in ("", "keep_freed_memory()"):
        code = FAULTS.format(call=call)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
        faults[call] = int(done.stdout)
    assert faults[""] > 1000
    assert faults["keep_freed_memory()"] < 100
