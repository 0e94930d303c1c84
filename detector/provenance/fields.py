"""A file's metadata as named texts: PNG's by its chunks, all else by Pillow, and what hides in an alpha channel."""

import re
import struct
import zlib
from collections.abc import Iterator
from xml.etree import ElementTree

from PIL import ExifTags, Image, IptcImagePlugin

from detector.containers import is_png, png_chunks
from detector.provenance.alpha import hidden_in
from detector.provenance.text import Budget, Field, TooMuch, as_text, inflated

MAX_EXIF, MAX_ENTRIES = 32 * 2**20, 100  # bytes that EXIF's entries may name in all; entries of a whole EXIF, mostly
_XMP_IN_PNG = "XML:com.adobe.xmp"
_IPTC = {65: "Program", 80: "By-line", 110: "Credit", 115: "Source", 120: "Caption"}  # IIM 4.2, record 2
_EXIF_ENCODINGS = {b"ASCII\0\0\0": "latin-1", b"UNICODE\0": "utf-16", b"\0" * 8: "utf-8"}  # Exif 3.0, UserComment
_OF_OTHERS = {"Pantry", "Ingredients", "DerivedFrom", "History", "ManagedFrom"}  # XMP media management
_XML_TROUBLE = re.compile(r"<!(DOCTYPE|ENTITY)", re.IGNORECASE)  # XMP has neither; both can be made to explode


def fields_of(data: bytes, image: Image.Image, problems: list[str]) -> list[Field]:
    """The texts of a file of which `image` was opened; what cannot be read, or is too much, is named in `problems`."""
    budget = Budget()
    parts = [
        ("XMP", lambda: _xmp(image.info.get("xmp"), budget)),
        ("IPTC", lambda: _iptc(image)),
        ("EXIF", lambda: _exif(image, image.info.get("exif", b""))),
    ]
    if is_png(data):  # Pillow would decode the pixels to find what stands behind them
        parts = [("PNG text", lambda: _png(data, image, budget))]
    parts.append(("comment", lambda: [Field("comment", "", as_text(image.info.get("comment", b"")))]))
    parts.append(("alpha channel", lambda: hidden_in(image)))
    found: list[Field] = []
    for name, read in parts:
        try:
            for field in read():
                budget.take(len(field.text))
                found.append(field)
        except TooMuch:
            problems.append("It holds more text than is looked through.")
            break
        except Exception as error:  # noqa: BLE001 - hostile bytes can raise anything; said, and the rest is read
            problems.append(f"Its {name} cannot be read ({type(error).__name__}).")
    return found


def _png(data: bytes, image: Image.Image, budget: Budget) -> Iterator[Field]:
    """PNG's texts and EXIF, before and behind the pixels (PNG 3, 11.3.3); compressed ones are inflated to MAX_TEXT."""
    seen = set()
    for kind, body, _ in png_chunks(data):
        if kind == b"eXIf" and kind not in seen:
            seen.add(kind)
            yield from _exif(image, body)
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
            budget.take(len(rest))
        name = key.decode("latin-1")
        if name != _XMP_IN_PNG:
            yield Field("PNG text", name, as_text(rest))
        elif name not in seen:  # there may be one
            seen.add(name)
            yield from _xmp(rest, budget)


def _exif(image: Image.Image, block: bytes) -> Iterator[Field]:
    """The texts of EXIF's first directory and of that with the exposure."""
    if image.format == "TIFF":
        exif = image.getexif()
    else:
        exif = Image.Exif()
        exif.load(_bounded(block))
    for tags in (exif, exif.get_ifd(ExifTags.IFD.Exif)):
        for tag, value in tags.items():
            name = ExifTags.TAGS.get(tag, str(tag))
            if name == "UserComment" and isinstance(value, bytes):
                yield Field("EXIF", name, _comment(value))
            elif name.startswith("XP") and isinstance(value, bytes):  # Windows Explorer's
                yield Field("EXIF", name, as_text(value, "utf-16-le"))
            elif name == "MakerNote":
                yield Field("EXIF", name, f"{len(value)} bytes")
            elif isinstance(value, bytes | str):
                yield Field("EXIF", name, as_text(value))
            elif not isinstance(value, dict):
                yield Field("EXIF", name, str(value)[:100])


def _bounded(block: bytes) -> bytes:
    """The block, unless its two directories may hold far more than its bytes: many entries can name the same ones."""
    tiff = block.removeprefix(b"Exif\0\0")
    order = ">" if tiff[:2] == b"MM" else "<"

    def entries(place: int) -> list[tuple[int, int]]:
        """Tag and value, or where that is, of a directory's entries (TIFF 6.0, section 2)."""
        n = struct.unpack_from(f"{order}H", tiff, place)[0]
        return [struct.unpack_from(f"{order}H6xI", tiff, place + 2 + 12 * i) for i in range(n)]

    try:
        first = entries(struct.unpack_from(f"{order}I", tiff, 4)[0])
        exposure = next((place for tag, place in first if tag == ExifTags.IFD.Exif), None)
        n = len(first) + (len(entries(exposure)) if exposure is not None else 0)
    except struct.error:  # broken off; Pillow says what can be read
        n = MAX_ENTRIES
    if n * len(tiff) > MAX_EXIF:
        raise TooMuch
    return block


def _comment(value: bytes) -> str:
    encoding, text = _EXIF_ENCODINGS.get(value[:8]), value[8:]
    if encoding is None:
        return as_text(value)
    if encoding == "utf-16" and text[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        # In which order the bytes stand is nowhere said: that in which Latin letters have their zeros in front.
        encoding += "-be" if text[::2].count(0) > text[1::2].count(0) else "-le"
    return as_text(text, encoding)


def _xmp(packet: bytes | str | None, budget: Budget) -> Iterator[Field]:
    """The properties that hold text, by their local names (ISO 16684-1): attributes, elements, items of lists. Without
    what speaks of other pictures."""
    text = as_text(packet or b"")
    budget.take(len(text))
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
        if name in _OF_OTHERS:
            continue
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
            yield Field("IPTC", _IPTC[dataset], as_text(b" ".join(values)))
