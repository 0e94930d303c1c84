"""glibc's allocator, in a process of its own: its settings last as long as the process."""

import platform
import subprocess
import sys

import pytest

from train.machine import keep_memory

TIMES = 20
# A tensor that comes and goes, as a network's do in every step. Above 32 MB glibc asks the kernel for it each time.
STEPS = f"""
import resource, sys, torch
from train.machine import keep_memory
if sys.argv[1] == "keep":
    print(keep_memory())
def step():
    return torch.ones(16, 2**20).sum().item()  # 64 MB
for _ in range(5):  # until the heap has found its shape
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range({TIMES}):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(how: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", STEPS, how], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_memory_is_kept():
    assert platform.libc_ver()[0] == "glibc", "the allocator is tested where it is glibc's"
    (as_it_comes,) = page_faults("as it comes")
    said, kept = page_faults("keep")
    assert "keeps freed memory" in said
    assert int(as_it_comes) >= TIMES * 32  # pages of 2 MB, where the kernel gives those; else 512 times as many
    assert int(kept) < 0.1 * int(as_it_comes)


def test_another_libc_is_left_alone(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr("ctypes.CDLL", lambda name: pytest.fail("no library is asked"))
    assert "not glibc's" in keep_memory()
