"""Files that are broken on purpose: a fuzzer's usual mutations, drawn by number, so that a fault can be had again."""

import io
import random
import zipfile
from collections.abc import Sequence

HEADER = 600  # bytes in which most mutations fall: what tells a reader how much there is to read
LIMITS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def seeds() -> list[bytes]:
    """Small pictures in all formats, with all that programs write beside them; signed ones too."""
    import numpy as np
    import tifffile
    from PIL import Image, ImageCms

    from tests import marks
    from tests.signing import GENERATED, MIMES, Signer

    image = marks.picture()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    found = [marks.saved(image, kind) for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF", "BMP")]
    found += [marks.saved(image, kind, icc_profile=profile) for kind in ("JPEG", "PNG", "WEBP", "TIFF")]
    found += [marks.exif(kind, {271: "Maker", 272: "Model", 34665: {33434: 0.01}}) for kind in ("JPEG", "PNG", "WEBP")]
    found += [marks.xmp("<xmp:CreatorTool>Midjourney</xmp:CreatorTool>", kind=kind) for kind in ("JPEG", "PNG", "WEBP")]
    found += [
        marks.png(parameters=marks.STEPS, workflow="{}"), marks.stealth("{}"), marks.source_type("compositeCapture"),
        marks.saved(image, "JPEG", progressive=True), marks.saved(image.convert("CMYK"), "JPEG"),
        marks.saved(image.convert("P"), "PNG", interlace=True), marks.saved(image.convert("L"), "BMP"),
        marks.saved(image, "TIFF", compression="tiff_lzw"), marks.saved(image.convert("RGBA"), "WEBP", lossless=True),
        marks.saved(image, "GIF", save_all=True, append_images=[image.rotate(90)] * 3),
    ]  # fmt: skip
    for options in ({"tile": (16, 16)}, {"photometric": "rgb", "compression": "deflate"}, {"bigtiff": True}):
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, np.asarray(image, np.uint16) * 257, **({"photometric": "rgb"} | options))
        found.append(buffer.getvalue())
    found.append(found[5].replace(b"avif", b"heic"))
    signer, action = Signer(), [{"action": "c2pa.created", "digitalSourceType": GENERATED}]
    small = Image.new("RGB", (64, 48), "teal")
    found += [signer.sign(marks.saved(small, kind), mime, action) for kind, mime in MIMES.items()]
    return found


def mutated(number: int, known: Sequence[bytes]) -> bytes:
    """The file of that number: one of `known`, changed in one to four ways."""
    draw = random.Random(number)
    data = bytearray(draw.choice(known))
    for _ in range(draw.randint(1, 4)):
        size = len(data)
        if size < 8:
            break
        at = draw.randrange(min(size, HEADER) if draw.random() < 0.7 else size)
        way = draw.randrange(8)
        if way == 0:
            data[at] ^= 1 << draw.randrange(8)
        elif way == 1:
            data[at] = draw.randrange(256)
        elif way == 2:
            width = draw.choice((1, 2, 4))
            value = draw.choice(LIMITS) % 256**width
            data[at : at + width] = value.to_bytes(width, draw.choice(("big", "little")))
        elif way == 3:
            del data[at:]
        elif way == 4:
            del data[at : at + draw.randint(1, 64)]
        elif way == 5:
            data[at:at] = draw.randbytes(draw.randint(1, 64))
        elif way == 6:
            part = data[at : at + draw.randint(1, 400)]
            data[at:at] = part * draw.randint(1, 20)
        else:
            other = draw.choice(known)
            start = draw.randrange(len(other))
            data[at:] = other[start:]
    return bytes(data)


def zipped(number: int, known: Sequence[bytes]) -> bytes:
    """A zip of three of `known`, broken the same way."""
    draw, buffer = random.Random(number), io.BytesIO()
    with zipfile.ZipFile(buffer, "w", draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as file:
        for name in ("a.jpg", "b/c.png", "../d.webp"):
            file.writestr(name, draw.choice(known))
    return mutated(number, [buffer.getvalue()])
