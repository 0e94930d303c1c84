"""The pictures in a zip, which may be anybody's: nothing in it is believed, and nothing is written where it says."""

import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from zipfile import ZipFile, ZipInfo

from detector.images import MAX_FILE, SUFFIXES, ImageError

MAX_MEMBERS = 5000  # files in a zip; their names alone take 1 MB
NAME_BYTES = 400  # of an entry in the directory, on average
END = 2**16 + 22  # bytes: the end record with the longest comment
MAX_RATIO = 100  # of a picture's bytes to those in the zip; pixels without noise are not sent around
MAX_UNPACKED = 2 * 2**30  # bytes of all its pictures together
DAMAGED = "is damaged or is no zip; make it anew, or give the folder itself."


@dataclass(frozen=True)
class Archive:
    """What a zip holds. Reading from several threads is safe."""

    pictures: dict[str, ZipInfo]  # name, a relative path with "/" -> where it is
    left_out: dict[str, str]  # name -> why, in one sentence
    others: int  # files with another suffix, left alone
    file: ZipFile

    def read(self, name: str) -> bytes:
        """The bytes of a picture, no more than MAX_FILE. Raises ImageError."""
        try:
            with self.file.open(self.pictures[name]) as member:
                return member.read(self.pictures[name].file_size)  # a size, or zlib is let make a gigabyte
        except Exception as error:  # hostile bytes can raise anything; the cause is kept
            raise ImageError(f"{name} cannot be unpacked; make the zip anew, or give the picture itself.") from error


def is_zip(name: str) -> bool:
    return name.lower().endswith(".zip")


def open_zip(path: Path) -> Archive:
    """What is in a zip. Raises ImageError: it is none, or holds too much."""
    try:
        if _too_long(path):
            raise ImageError(f"{path.name} holds too many files; the limit is {MAX_MEMBERS:,}; give the folder itself.")
        file = ZipFile(path)
    except ImageError:
        raise
    except Exception as error:  # as above
        raise ImageError(f"{path.name} {DAMAGED}") from error
    members = [member for member in file.infolist() if not member.is_dir()]
    if len(members) > MAX_MEMBERS:
        raise ImageError(
            f"{path.name} holds {len(members):,} files and the limit is {MAX_MEMBERS:,}; give the folder itself."
        )
    pictures, left_out, others = {}, {}, 0
    for member in members:
        name = member.filename
        if PurePosixPath(name).suffix.lower() not in SUFFIXES | {".zip"} or _of_a_system(name):
            others += 1
        elif reason := _fault(member):
            left_out[name] = f"{name} {reason}"
        else:
            pictures[name] = member  # of two of the same name the later one, as other programs have it
    if (size := sum(member.file_size for member in pictures.values())) > MAX_UNPACKED:
        raise ImageError(
            f"The pictures in {path.name} have {size / 2**30:.1f} GB and the limit is {MAX_UNPACKED / 2**30:.0f} GB; "
            "give the folder itself."
        )
    return Archive(pictures, left_out, others, file)


def _too_long(path: Path) -> bool:
    """Whether the directory of a zip is longer than that of MAX_MEMBERS files, before it is read: a million entries
    take minutes."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - END))
        end = file.read()
    place = end.rfind(b"PK\5\6")  # the end record (APPNOTE 4.3.16); ZipFile tells where there is none
    return place >= 0 and int.from_bytes(end[place + 12 : place + 16], "little") > MAX_MEMBERS * NAME_BYTES


def _of_a_system(name: str) -> bool:
    """Whether it is what an operating system leaves in folders."""
    parts = PureWindowsPath(name).parts  # which takes both kinds of slashes
    return "__MACOSX" in parts or any(part.startswith(".") and part != ".." for part in parts)


def _fault(member: ZipInfo) -> str:
    """Why a member is left out, or ""."""
    name = member.filename
    outside = PurePosixPath(name).is_absolute() or PureWindowsPath(name).drive or ".." in PureWindowsPath(name).parts
    if outside:
        return "has a name that leads out of the zip; rename it."
    if is_zip(name):
        return "is a zip in the zip; unpack it first."
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a link, which leads nowhere in a zip; put the picture itself in."
    if member.flag_bits & 1:
        return "is locked with a password; make the zip anew without one."
    if member.file_size > MAX_FILE:
        return f"has {member.file_size / 2**20:.0f} MB and the limit is {MAX_FILE / 2**20:.0f} MB; save it smaller."
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others may need any memory
        return "is packed in an unusual way; make the zip anew."
    if member.file_size > MAX_RATIO * max(member.compress_size, 2**13):
        return "is packed as no picture is; save it as a JPEG or PNG."
    return ""


def unpack(archive: Archive, folder: Path) -> dict[str, Path]:
    """Every picture of it below `folder`, each in a folder of its own, since their names may be alike: name -> file.
    One that cannot be unpacked is in none. Raises OSError."""
    found = {}
    for number, name in enumerate(archive.pictures):
        try:
            data = archive.read(name)
        except ImageError as error:
            archive.left_out[name] = str(error)
            continue
        plain = PurePosixPath(name.replace("\\", "/"))
        stem = plain.stem.encode("utf-8", "replace")[:200].decode("utf-8", "ignore")  # file systems take 255 bytes
        path = folder / str(number) / f"{stem}{plain.suffix}"
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
        found[name] = path
    return found
