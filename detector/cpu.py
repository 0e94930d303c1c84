"""The processor: the cores that this process may use, and OpenMP told not to waste them."""

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

# OpenMP's threads spin while they wait, and beside other work spin away the very core that they wait for. Bounded, an
# image takes little longer on an idle machine and no longer takes seconds on a busy one (benchmarks/spinning.py).
# Each library has its own name for it: libgomp, which torch brings on Linux, and LLVM's, which it brings on macOS.
SPINNING = {"GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "1"}  # turns of a loop; milliseconds


def set_up_openmp(cgroup: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> None:
    """Bound OpenMP's spinning and, in a container, its threads. What the user has set stays as it is.

    OpenMP reads this once, when torch is imported: it has to be called before.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        for name, value in SPINNING.items():
            os.environ.setdefault(name, value)
    allowed = cores(cgroup, root)
    if allowed < _affinity():  # which is all that OpenMP itself looks at
        os.environ.setdefault("OMP_NUM_THREADS", str(allowed))


def cores(cgroup: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> int:
    """Cores that this process may use: by its affinity, and by the share of time that its container is given."""
    return max(1, min([_affinity(), *(math.ceil(quota) for quota in _quotas(cgroup, root))]))


def _affinity() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _quotas(cgroup: Path, root: Path) -> Iterator[float]:
    """Cores' worth of time that each of the control groups around this process may use (Linux; cgroups(7))."""
    with suppress(OSError, ValueError):
        for line in cgroup.read_text().splitlines():
            _, controllers, inside = line.split(":", 2)
            if controllers and "cpu" not in controllers.split(","):
                continue
            top = root / "cpu" if controllers else root  # version 1 has a tree for each controller
            place = top / inside.strip("/")
            for folder in (place, *place.parents):
                if not folder.is_relative_to(top):
                    break
                with suppress(OSError, ValueError, ZeroDivisionError):  # one that sets no limit
                    if controllers:
                        quota, period = ((folder / f"cpu.cfs_{x}_us").read_text() for x in ("quota", "period"))
                    else:
                        quota, period = (folder / "cpu.max").read_text().split()
                    if float(quota) > 0:
                        yield float(quota) / float(period)
