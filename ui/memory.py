"""What answers leave behind in the allocator."""

import ctypes
import platform


def give_back() -> None:
    """Let freed memory go back to the system, which glibc does of itself only at the end of each thread's heap: under
    64 people those grew from 556 to 653 MB in 200 s; with this every ten seconds they shrank from 471 to 406."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
