"""A private folder for what visitors upload: however the program ends, it goes."""

import logging
import os
import shutil
import tempfile
import time
from pathlib import Path

from filelock import FileLock, Timeout

log = logging.getLogger(__name__)

PREFIX = "detector-uploads-"
THUMBNAILS = "thumbnails"  # the folder in it that does not age: what is in there is nobody's upload


class UploadFolder:
    """A folder of this process alone (mode 700), deleted at the end of `with`, below $GRADIO_TEMP_DIR if that is set
    and can be written, else below the temporary folder. A lock beside it tells the living from the dead: what
    processes that were killed have left behind is deleted too."""

    def __enter__(self) -> "UploadFolder":
        for base in filter(None, (os.environ.get("GRADIO_TEMP_DIR"), tempfile.gettempdir())):
            try:
                self._make(Path(base).resolve())
            except OSError as error:
                log.warning("Uploads cannot be kept in %s (%s).", base, error.strerror or error)
            else:
                return self
        raise OSError("there is no folder for uploads; set GRADIO_TEMP_DIR to one that can be written")

    def _make(self, base: Path) -> None:
        base.mkdir(parents=True, exist_ok=True)
        for lock in base.glob(f"{PREFIX}*.lock"):
            _bury(lock)
        # The lock first: a folder without one would be taken for a dead process's.
        handle, name = tempfile.mkstemp(".lock", PREFIX, base)
        os.close(handle)
        self._lock = FileLock(name, blocking=False)
        self._lock.acquire()
        self.path = Path(name).with_suffix("")
        self.path.mkdir(mode=0o700)

    def __exit__(self, *error: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.release()
        Path(self._lock.lock_file).unlink(missing_ok=True)

    def sweep(self, age: float) -> None:
        """Delete what nobody has written to for `age` seconds, whatever it is, but for thumbnails."""
        before = time.time() - age
        for folder, _, names in os.walk(self.path, topdown=False):
            inside = Path(folder)
            if THUMBNAILS in inside.relative_to(self.path).parts:
                continue
            for name in names:
                file = inside / name
                try:
                    found = file.stat()
                    # A copy may carry its original's time of writing; ctime is the copy's own (on Windows its birth).
                    if max(found.st_mtime, found.st_ctime) < before:
                        file.unlink()
                except FileNotFoundError:
                    pass  # somebody else's doing
                except OSError as problem:
                    log.warning("An upload cannot be deleted (%s).", problem)
            if inside != self.path and inside.stat().st_mtime < before and not any(inside.iterdir()):
                inside.rmdir()


def _bury(lock: Path) -> None:
    """Delete a folder and its lock, if nobody holds that."""
    try:
        with FileLock(lock, blocking=False):
            shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
            lock.unlink(missing_ok=True)
    except (Timeout, OSError):
        pass  # its process lives, or it is another user's
