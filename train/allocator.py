"""glibc gives every large tensor back to the kernel and takes page faults for it: nine tenths of a training step."""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4  # malloc.h


def keep_memory() -> bool:
    """Tell glibc's malloc to keep what is freed. True if it took; elsewhere nothing is done."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library
        return False
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_TOP_PAD, 2**28))  # counts and bytes
    return sum(mallopt(key, value) for key, value in settings) == len(settings)  # 1 each where it took
