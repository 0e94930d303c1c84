"""The bytes of a file that make its picture.

Phones append videos and further pictures to a JPEG, programs write whole workflows into a PNG's text, cameras put depth
maps into metadata. None of that is the picture: it is not counted against a limit, and a fault in it is none of the
picture's. What is kept is what a decoder needs to show the picture in its colours and upright.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

_PNG = b"\x89PNG\r\n\x1a\n"
# RFC 2083 and its extensions: pixels, palette, transparency, colours, orientation. Text, times and animation are not.
_PNG_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"iCCP", b"sRGB", b"eXIf", b"IEND")
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # colour type -> samples of a pixel
# ITU T.81, B.1.1.3: in entropy-coded data FF is followed by 00, a restart marker or more FFs; else it is a marker.
_JPEG_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")
_EOI, _SOS = 0xD9, 0xDA
_ALONE = (0x01, *range(0xD0, 0xD9))  # markers without a length
_APP_KEPT = {  # application segment -> what it must begin with to be kept
    0xE0: b"JFIF",
    0xE1: b"Exif\0",
    0xE2: b"ICC_PROFILE\0",
    0xEE: b"Adobe",
}


@dataclass(frozen=True)
class Picture:
    """A file's picture without the rest."""

    data: bytes
    scans: int = 0  # of a JPEG: each costs a pass over all pixels
    whole: bool = True  # False for a JPEG or PNG that ends before its end marker


def picture_of(data: bytes) -> Picture:
    """`data` without what is not its picture; unchanged if it is none of the formats that are known here."""
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg(data)
    if is_png(data):
        return _png(data)
    if data[4:8] == b"ftyp":
        return Picture(data[: _appended_video(data)])
    return Picture(data)


def _jpeg(data: bytes) -> Picture:
    """The first picture of the file, from its start to its end marker (ITU T.81, annex B)."""
    view = memoryview(data)
    kept, scans, start = [b"\xff\xd8"], 0, 2
    while found := _JPEG_MARKER.search(data, start):
        marker, after = found[1][0], found.end()
        if marker == _EOI:
            return Picture(b"".join([*kept, b"\xff\xd9"]), scans)
        if marker in _ALONE:
            start = after
            continue
        end = after + int.from_bytes(data[after : after + 2], "big")
        wanted = _APP_KEPT.get(marker)
        skipped = marker == 0xFE or 0xE0 <= marker <= 0xEF  # a comment, an application's own
        if not skipped or (wanted and data.startswith(wanted, after + 2)):
            kept.append(view[found.end() - 2 : end])
        if marker == _SOS:
            scans += 1
            following = next((m for m in _JPEG_MARKER.finditer(data, end)), None)
            after_scan = following.start() if following else len(data)
            kept.append(view[end:after_scan])
            end = after_scan
        start = max(end, after)
    return Picture(b"".join([*kept, b"\xff\xd9"]), scans, whole=False)


def _png(data: bytes) -> Picture:
    """Its chunks that are kept, each under a right checksum: whether the pixels are sound zlib's own tells.

    Of those that may be left out, one with a wrong checksum is, as browsers do.
    """
    kept = [_PNG]
    for kind, body, checksum in png_chunks(data):
        right = struct.pack(">I", zlib.crc32(kind + body))
        if kind in _PNG_KEPT and (checksum == right or kind[:1].isupper()):
            kept += [struct.pack(">I", len(body)), kind, body, right]
        if kind == b"IEND":
            return Picture(b"".join(kept))
    return Picture(b"".join([*kept, struct.pack(">I4sI", 0, b"IEND", zlib.crc32(b"IEND"))]), whole=False)


def is_png(data: bytes) -> bool:
    return data.startswith(_PNG)


def is_tiff(data: bytes) -> bool:
    return data[:4] in (b"II*\0", b"MM\0*")


def png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """A PNG's chunks, each as its kind, its body and the checksum that it came with; the last may be cut off."""
    start = len(_PNG)
    while start + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, start)
        end = start + 8 + length
        yield kind, data[start + 8 : end], data[end : end + 4]
        start = end + 4


def png_rows(data: bytes) -> int:
    """How many rows of a PNG's picture are there, from the top; of an interlaced one all or none."""
    width, height, bits, colour, *_, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    row = 1 + -(-width * bits * _PNG_CHANNELS.get(colour, 1) // 8)  # bytes, with the one that names its filter
    stream, came = zlib.decompressobj(), 0
    with suppress(zlib.error):  # what came until there is sound
        for body in (body for kind, body, _ in png_chunks(data) if kind == b"IDAT"):
            while body and came < row * height:
                came += len(stream.decompress(body, 2**20))
                body = stream.unconsumed_tail
    rows = min(came // row, height)
    return rows if not interlaced or stream.eof else 0


def _appended_video(data: bytes) -> int:
    """Where the video of a motion photo begins, in a file of boxes (ISO 14496-12: HEIC, AVIF); its end if none does."""
    start = 0
    while start + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, start)
        if kind == b"mpvd":
            return start
        if length == 1 and start + 16 <= len(data):
            (length,) = struct.unpack_from(">Q", data, start + 8)
        if length < 8:  # to the end of the file, or broken
            break
        start += length
    return len(data)
