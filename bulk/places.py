"""Where pictures and results are: folders of this machine, and what pyarrow (S3, GCS) and fsspec (http, ...) know."""

import os
from functools import lru_cache
from pathlib import Path

import fsspec
from pyarrow import ArrowInvalid, ArrowNotImplementedError, fs

from bulk import BulkError, Unreachable
from detector import ImageError
from detector.checkpoint import write_whole
from detector.images import MAX_FILE

AT_ONCE = ("s3", "gcs", "abfs")  # stores where a file is there when all of it is
REFUSED = ("NO_SUCH", "ACCESS_DENIED", "Permission denied", "Not a regular file")  # said of one file, and said again
STALLED = 20  # seconds without a word from S3


def is_local(name: str) -> bool:
    return "://" not in name


def place(name: str) -> tuple[fs.FileSystem, str]:
    """A path or an address -> its file system, and what it is called there. Raises BulkError."""
    if is_local(name):
        return fs.LocalFileSystem(), str(Path(name).resolve())
    scheme, rest = name.split("://", 1)
    authority, _, key = rest.partition("/")
    if holds_a_key(name):
        raise BulkError(
            f"The address of {scheme}://…{authority.split('@')[-1]} holds a key, which would be written into the "
            "results; give keys in the environment."
        )
    system, root = _file_system(scheme.lower(), authority)
    return system, root + key


@lru_cache(256)
def _file_system(scheme: str, authority: str) -> tuple[fs.FileSystem, str]:
    if scheme == "s3" and (endpoint := os.environ.get("AWS_ENDPOINT_URL")):  # else it would ask Amazon for the region
        region = os.environ.get("AWS_REGION", "us-east-1")
        timeouts = {"connect_timeout": STALLED, "request_timeout": STALLED}
        return fs.S3FileSystem(endpoint_override=endpoint, region=region, **timeouts), f"{authority}/"
    try:
        system, root = fs.FileSystem.from_uri(f"{scheme}://{authority}/")
        return system, f"{root.rstrip('/')}/"
    except (ArrowInvalid, ArrowNotImplementedError):  # not one of pyarrow's own
        pass
    except OSError as error:
        raise Unreachable(f"{scheme}://{authority} cannot be reached: {in_short(error)}.") from error
    try:
        system = fsspec.filesystem(scheme)
    except (ImportError, ValueError) as error:
        raise BulkError(f"{scheme}:// cannot be read here: {in_short(error)}.") from error
    return fs.PyFileSystem(fs.FSSpecHandler(system)), f"{scheme}://{authority}/"


def holds_a_key(name: str) -> bool:
    """Whether an address has NAME:PASSWORD@ before its host."""
    return not is_local(name) and "@" in name.split("://", 1)[1].partition("/")[0]


def in_text(name: str) -> str:
    """A name as the disk has it, which need not be text, as text."""
    return name.encode("utf-8", "backslashreplace").decode()


def in_short(error: Exception) -> str:
    """The first line of what a file system says, which may go on for many."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text.strip().splitlines()[0].rstrip(".")


def fetch(name: str) -> bytes:
    """The bytes of a picture, of one too large for us the first. Raises ImageError, or Unreachable; what is on the web
    is never that, since each of its servers may be gone for good."""
    try:
        system, path = place(name)
        with system.open_input_stream(path, compression=None) as file:
            return file.read(MAX_FILE + 1)
    except Unreachable:
        raise
    except BulkError as error:
        raise ImageError(str(error)) from error
    except FileNotFoundError as error:
        raise ImageError(f"{name} does not exist; check the address.") from error
    except Exception as error:  # each file system has its own
        of_the_picture = name.lower().startswith(("http://", "https://")) or any(r in str(error) for r in REFUSED)
        kind = ImageError if of_the_picture else Unreachable
        raise kind(f"{name} cannot be read ({in_short(error)}); check the address.") from error


class Results:
    """The folder of results: each file is there whole, or not at all."""

    def __init__(self, name: str):
        self.name = name if not is_local(name) else str(Path(name).resolve())
        self.system, self.path = place(self.name)
        self.path = self.path.rstrip("/")

    def names(self) -> set[str]:
        """Raises OSError."""
        found = self.system.get_file_info(fs.FileSelector(self.path, allow_not_found=True))
        return {info.base_name for info in found if info.is_file}

    def has(self, name: str) -> bool:
        """Raises OSError."""
        return self.system.get_file_info(f"{self.path}/{name}").is_file

    def open(self, name: str):
        """To be read at any place. Raises OSError."""
        return self.system.open_input_file(f"{self.path}/{name}")

    def write(self, name: str, data: bytes) -> None:
        """Raises OSError."""
        mine = name if self.system.type_name in AT_ONCE else f"{name}.{os.urandom(4).hex()}"  # another run has its own
        if isinstance(self.system, fs.LocalFileSystem):
            Path(self.path).mkdir(parents=True, exist_ok=True)
            write_whole(Path(self.path), {mine: data})  # on the disk, should the power fail
        else:
            self.system.create_dir(self.path, recursive=True)
            with self.system.open_output_stream(f"{self.path}/{mine}", compression=None) as file:
                file.write(data)
        if mine != name:
            self.system.move(f"{self.path}/{mine}", f"{self.path}/{name}")
