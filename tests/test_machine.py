"""glibc's allocator, in a process of its own: its settings last as long as the process."""

import platform
import statistics
import subprocess
import sys

import pytest

from train.machine import keep_memory

TIMES = 60
# A tensor that comes and goes, as a network's do in every step. Above 32 MB glibc asks the kernel for it each time.
STEPS = f"""
import resource, sys, torch
from train.machine import keep_memory
if sys.argv[1] == "keep":
    print(keep_memory())
for _ in range({TIMES}):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(16, 2**20).sum().item()  # 64 MB
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(how: str) -> tuple[list[int], list[str]]:
    """Of each step, and what was said before the first."""
    done = subprocess.run([sys.executable, "-c", STEPS, how], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    return [int(faults) for faults in lines[-TIMES:]], lines[:-TIMES]


def test_memory_is_kept():
    assert platform.libc_ver()[0] == "glibc", "the allocator is tested where it is glibc's"
    as_it_comes, _ = page_faults("as it comes")
    kept, (said,) = page_faults("keep")
    assert "keeps freed memory" in said
    assert min(as_it_comes) >= 32  # pages of 2 MB, where the kernel gives those; else 512 times as many
    # The heap grows for the first few steps, until the blocks it has freed serve the next one.
    assert statistics.median(kept) < 32


def test_another_libc_is_left_alone(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr("ctypes.CDLL", lambda name: pytest.fail("no library is asked"))
    assert "not glibc's" in keep_memory()
