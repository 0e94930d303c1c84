"""What answers leave behind in the allocator."""

import ctypes
import platform


def give_back() -> None:
    """Let freed memory go back to the system, which glibc does of itself only at the end of each thread's heap: under
    64 people the page grew by 250 MB within four minutes; with this now and then it did not."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
