"""Files with what programs write into them."""

import gzip
import io
import struct
import zlib

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.conftest import EXAMPLES

STEPS = "a cat\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512"


def picture() -> Image.Image:
    return Image.open(EXAMPLES / "rocket.jpg").convert("RGB").resize((64, 48))


def texts_of(**texts: str) -> PngInfo:
    info = PngInfo()
    for key, text in texts.items():
        info.add_itxt(key.replace("__", "-"), text)
    return info


def png(**texts: str) -> bytes:
    return saved(picture(), "PNG", pnginfo=texts_of(**texts))


def saved(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def exif(kind: str = "JPEG", tags: dict | None = None, comment: bytes | None = None) -> bytes:
    found = Image.Exif()
    for tag, value in (tags or {}).items():
        if tag == 34665:
            found.get_ifd(tag).update(value)
        else:
            found[tag] = value
    if comment is not None:
        found.get_ifd(34665)[37510] = comment
    return saved(picture(), kind, exif=found)


def xmp(body: str, attributes: str = "", kind: str = "JPEG") -> bytes:
    spaces = {
        "photoshop": "http://ns.adobe.com/photoshop/1.0/", "xmp": "http://ns.adobe.com/xap/1.0/",
        "dc": "http://purl.org/dc/elements/1.1/", "exif": "http://ns.adobe.com/exif/1.0/",
        "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/", "TC260": "http://www.tc260.org.cn/ns/AIGC/1.0/",
    }  # fmt: skip
    named = " ".join(f'xmlns:{name}="{address}"' for name, address in spaces.items())
    packet = (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" {named} {attributes}>{body}</rdf:Description></rdf:RDF></x:xmpmeta>'
        '<?xpacket end="w"?>'
    )
    return saved(picture(), kind, xmp=packet.encode())


def listed(name: str, text: str) -> str:
    """As XMP has texts that may stand in several languages."""
    return f'<{name}><rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt></{name}>'


def source_type(name: str) -> bytes:
    return xmp(
        f"<Iptc4xmpExt:DigitalSourceType>http://cv.iptc.org/newscodes/digitalsourcetype/{name}"
        "</Iptc4xmpExt:DigitalSourceType>"
    )


def stealth(text: str, packed: bool = True, size: tuple[int, int] = (200, 150)) -> bytes:
    """NovelAI's way: bits down the columns of the alpha channel."""
    body = gzip.compress(text.encode()) if packed else text.encode()
    head = b"stealth_pngcomp" if packed else b"stealth_pnginfo"
    bits = np.unpackbits(np.frombuffer(head + struct.pack(">I", 8 * len(body)) + body, np.uint8))
    alpha = np.full(size[0] * size[1], 254, np.uint8)
    alpha[: len(bits)] |= bits
    image = picture().resize(size)
    image.putalpha(Image.fromarray(alpha.reshape(size).T.copy()))
    return saved(image, "PNG")


def chunk(kind: bytes, body: bytes, sound: bool = True) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body) ^ (not sound))


def with_chunks(*chunks: bytes) -> bytes:
    data = saved(picture(), "PNG")
    return data[:33] + b"".join(chunks) + data[33:]
