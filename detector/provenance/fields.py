"""A file's metadata as named texts. Only what Pillow decodes of it, and never the pixels."""

import re
import zlib
from collections.abc import Iterator
from typing import NamedTuple
from xml.etree import ElementTree

from PIL import ExifTags, Image, IptcImagePlugin

from detector.containers import is_png, png_chunks

MAX_TEXT = 2**20  # characters of one text; a ComfyUI workflow has some hundred thousand
MAX_FIELDS, MAX_ALL = 500, 4 * 2**20  # texts of one file, and their characters together
_XMP_IN_PNG = "XML:com.adobe.xmp"
_IPTC = {
    65: "Program",
    80: "By-line",
    110: "Credit",
    115: "Source",
    116: "Copyright",
    120: "Caption",
}  # IIM 4.2, record 2
_EXIF_ENCODINGS = {b"ASCII\0\0\0": "latin-1", b"UNICODE\0": "utf-16", b"\0" * 8: "utf-8"}  # Exif 3.0, UserComment
_XML_TROUBLE = re.compile(r"<!(DOCTYPE|ENTITY)", re.IGNORECASE)  # XMP has neither; both can be made to explode


class Field(NamedTuple):
    """One text of a file's metadata."""

    where: str  # "PNG text", "EXIF", "XMP", "IPTC", "comment", "alpha channel"
    key: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.where} {self.key}".strip()


def fields_of(data: bytes, image: Image.Image, problems: list[str]) -> list[Field]:
    """The texts of a file of which `image` was opened; what cannot be read, or is too much, is named in `problems`."""
    parts = [
        ("XMP", lambda: _xmp(image.info.get("xmp"))),
        ("IPTC", lambda: _iptc(image)),
        ("EXIF", lambda: _exif(image)),
    ]
    if is_png(data):  # Pillow would decode the pixels to find what stands behind them
        parts = [("PNG text", lambda: _png(data))]
    parts.append(("comment", lambda: [Field("comment", "", _text(image.info.get("comment", b"")))]))
    found: list[Field] = []
    left = MAX_ALL
    for name, read in parts:
        try:
            for field in read():
                left -= len(field.text)
                if left < 0 or len(found) == MAX_FIELDS:
                    problems.append("It holds more text than is looked through.")
                    return found
                found.append(field)
        except Exception as error:  # noqa: BLE001 - hostile bytes can raise anything; said, and the rest is read
            problems.append(f"Its {name} cannot be read ({type(error).__name__}).")
    return found


def _text(value: bytes | str, encoding: str = "utf-8") -> str:
    if isinstance(value, bytes):
        try:
            value = value[: 4 * MAX_TEXT].decode(encoding)
        except UnicodeDecodeError:
            value = value[: 4 * MAX_TEXT].decode("latin-1")
    return value[:MAX_TEXT].strip("\0 \r\n\t")


def _png(data: bytes) -> Iterator[Field]:
    """PNG's texts and EXIF, before and behind the pixels (PNG 3, 11.3.3); compressed ones are inflated to MAX_TEXT."""
    for kind, body, _ in png_chunks(data):
        if kind == b"eXIf":
            exif = Image.Exif()
            exif.load(body)
            yield from _exif_fields(exif)
        if kind not in (b"tEXt", b"zTXt", b"iTXt"):
            continue
        key, _, rest = body.partition(b"\0")
        packed = kind == b"zTXt"
        if kind == b"iTXt":
            packed, rest = rest[:1] == b"\1", rest[2:].partition(b"\0")[2].partition(b"\0")[2]
        elif packed:
            rest = rest[1:]
        if packed:
            rest = inflated(rest, zlib.MAX_WBITS)
        name = key.decode("latin-1")
        if name == _XMP_IN_PNG:
            yield from _xmp(rest)
        else:
            yield Field("PNG text", name, _text(rest))


def inflated(packed: bytes, window: int) -> bytes:
    """What was deflated, at most MAX_TEXT bytes of it; `window` as zlib wants it."""
    return zlib.decompressobj(window).decompress(packed, MAX_TEXT)


def _exif(image: Image.Image) -> Iterator[Field]:
    return _exif_fields(image.getexif())


def _exif_fields(exif: Image.Exif) -> Iterator[Field]:
    for tags in (exif, exif.get_ifd(ExifTags.IFD.Exif)):
        for tag, value in tags.items():
            name = ExifTags.TAGS.get(tag, str(tag))
            if name == "UserComment" and isinstance(value, bytes):
                yield Field("EXIF", name, _comment(value))
            elif name.startswith("XP") and isinstance(value, bytes):  # Windows Explorer's
                yield Field("EXIF", name, _text(value, "utf-16-le"))
            elif name == "MakerNote":
                yield Field("EXIF", name, f"{len(value)} bytes")
            elif isinstance(value, bytes | str):
                yield Field("EXIF", name, _text(value))
            elif not isinstance(value, dict):
                yield Field("EXIF", name, str(value)[:100])


def _comment(value: bytes) -> str:
    encoding, text = _EXIF_ENCODINGS.get(value[:8]), value[8:]
    if encoding is None:
        return _text(value)
    if encoding == "utf-16" and text[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        # In which order the bytes stand is nowhere said: that in which Latin letters have their zeros in front.
        encoding += "-be" if text[::2].count(0) > text[1::2].count(0) else "-le"
    return _text(text, encoding)


def _xmp(packet: bytes | str | None) -> Iterator[Field]:
    """The properties that hold text, by their local names (ISO 16684-1): attributes, elements, items of lists."""
    text = _text(packet or b"")
    start, end = text.find("<"), text.rfind(">")
    if start < 0:
        return
    if _XML_TROUBLE.search(text):
        raise ValueError("XMP with a document type")
    waiting = [(ElementTree.fromstring(text[start : end + 1]), "")]
    while waiting:
        element, property_ = waiting.pop()
        name = _local(element.tag)
        name = property_ if name in ("Alt", "Seq", "Bag", "li") else name
        for key, value in element.attrib.items():
            yield Field("XMP", name if _local(key) in ("resource", "value") else _local(key), value)
        if element.text and element.text.strip():
            yield Field("XMP", name, element.text.strip())
        waiting += [(child, name) for child in reversed(element)]


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _iptc(image: Image.Image) -> Iterator[Field]:
    for (record, dataset), value in (IptcImagePlugin.getiptcinfo(image) or {}).items():
        if record == 2 and dataset in _IPTC:
            values = value if isinstance(value, list) else [value]
            yield Field("IPTC", _IPTC[dataset], _text(b" ".join(values)))
