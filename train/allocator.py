"""glibc's allocator, told to keep its memory."""

import ctypes
import platform

# malloc.h; see man mallopt. Large tensors come from the heap, and the heap is never handed back.
_SETTINGS = {"M_MMAP_MAX": (-4, 0), "M_TRIM_THRESHOLD": (-1, 2**31 - 1), "M_TOP_PAD": (-2, 64 * 2**20)}


def keep_memory() -> str:
    """Let freed memory be used again instead of handed back; a sentence that says what was done.

    As it comes, glibc gives every large tensor back to the kernel, and each 4 KB of the next one is a page fault.
    """
    if platform.libc_ver()[0] != "glibc":
        return "The allocator is not glibc's and is left as it is."
    libc = ctypes.CDLL(None)
    refused = [name for name, (number, value) in _SETTINGS.items() if not libc.mallopt(number, value)]
    if refused:
        return f"glibc's allocator refused {', '.join(refused)}; training may be slower."
    return "glibc's allocator keeps freed memory (--default-malloc: as it comes)."
