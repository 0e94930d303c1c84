"""glibc's allocator, in a process of its own: its settings last as long as the process."""

import platform
import subprocess
import sys

import pytest

from train.machine import keep_memory

STEPS = """
import resource, sys, torch
from detector.model import DenseNet121
from train.machine import keep_memory
if sys.argv[1] == "keep":
    print(keep_memory())
model, x, faults = DenseNet121(), torch.randn(16, 3, 96, 96), []
for _ in range(3):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    model(x).sum().backward()
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(sum(faults[1:]))  # the first step needs its memory in any case
"""


def page_faults(how: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", STEPS, how], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_memory_is_kept():
    assert platform.libc_ver()[0] == "glibc", "the allocator is tested where it is glibc's"
    (as_it_comes,) = page_faults("as it comes")
    said, kept = page_faults("keep")
    assert "keeps freed memory" in said
    assert int(as_it_comes) > 300  # huge pages would make few faults of 400,000
    assert int(kept) < 0.4 * int(as_it_comes)


def test_another_libc_is_left_alone(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr("ctypes.CDLL", lambda name: pytest.fail("no library is asked"))
    assert "not glibc's" in keep_memory()
