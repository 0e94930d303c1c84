"""A private folder for what visitors upload: however the program ends, it goes."""

import errno
import logging
import os
import shutil
import stat
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
        for folder in base.glob(f"{PREFIX}*"):
            if folder.is_dir():  # not a lock: one without a folder is somebody's who starts just now
                _bury(folder)
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
        if not self.path.exists():  # else the next start deletes it
            Path(self._lock.lock_file).unlink(missing_ok=True)

    def sweep(self, age: float) -> None:
        """Delete what nobody has written to for `age` seconds, whatever it is, but for thumbnails; and what is that
        much younger than now, which only a clock that was put back can tell of."""
        self._repair()
        now = time.time()
        for folder, _, names in os.walk(self.path, topdown=False):
            inside = Path(folder)
            if THUMBNAILS in inside.relative_to(self.path).parts:
                continue
            for name in names:
                _delete(inside / name, now, age)
            if inside != self.path:
                _delete(inside, now, age)

    def _repair(self) -> None:
        """What empties temporary folders may have taken this one, and Gradio then makes it anew, for all to see."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.path.chmod(0o700)
            lock = Path(self._lock.lock_file)
            if lock.exists():
                lock.touch()  # young files are left alone
            else:
                self._lock.release()
                self._lock.acquire()
        except OSError as problem:
            log.warning("The folder for uploads cannot be kept (%s).", problem)


def _delete(path: Path, now: float, age: float) -> None:
    """Delete a file, or a folder if nothing is in it, that was last changed `age` seconds from now, or more."""
    try:
        found = path.lstat()
        # A copy may carry its original's time of writing; ctime is the copy's own (on Windows its birth).
        if abs(now - max(found.st_mtime, found.st_ctime)) <= age:
            return
        if stat.S_ISDIR(found.st_mode):
            path.rmdir()
        else:
            path.unlink()
    except OSError as problem:
        if problem.errno not in (errno.ENOENT, errno.ENOTEMPTY):  # gone already; in use again
            log.warning("An upload cannot be deleted (%s).", problem)


def _bury(folder: Path) -> None:
    """Delete a folder and its lock, if nobody holds that."""
    lock = folder.with_suffix(".lock")
    try:
        with FileLock(lock, blocking=False):
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                lock.unlink(missing_ok=True)
    except (Timeout, OSError):
        pass  # its process lives, or it is another user's
