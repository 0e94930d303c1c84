"""images.open_image against pixels made by hand, and against files that mean harm."""

import io
import os
import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from detector.files import find_images
from detector.images import FORMATS, ImageError, open_image
from tests.conftest import EXAMPLES

RNG = np.random.default_rng(0)
PICTURE = Image.fromarray(RNG.integers(0, 256, (8, 6, 3), np.uint8)).resize(
    (48, 64), Image.BICUBIC
)  # smooth, not symmetric


def encode(image: Image.Image, image_format: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def png(width: int, height: int, bits: int, colour: int, rows: bytes) -> bytes:
    """A PNG written by hand (RFC 2083), so that Pillow is compared with something else than itself."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def scans(n: int) -> bytes:
    """A progressive JPEG whose last scan is there n times: every pass over the pixels costs time, none costs bytes."""
    data = encode(PICTURE, "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * n + data[-2:]


def close(found: Image.Image, expected, tolerance: int) -> bool:
    assert found.mode == "RGB"
    found, expected = np.asarray(found, int), np.asarray(expected, int)
    return found.shape == expected.shape and np.abs(found - expected).mean() <= tolerance


@pytest.mark.parametrize(("image_format", "tolerance"), [
    ("PNG", 0), ("BMP", 0), ("TIFF", 0), ("JPEG", 4), ("WEBP", 4), ("AVIF", 4), ("MPO", 4), ("GIF", 12),
])  # fmt: skip
def test_formats(image_format, tolerance):
    lossy = {"quality": 95} if image_format in ("JPEG", "WEBP", "AVIF", "MPO") else {}
    assert close(open_image(encode(PICTURE, image_format, **lossy)), PICTURE, tolerance)


def test_every_format_named_can_be_read_here():
    Image.init()
    assert set(FORMATS) - {"HEIF"} <= set(Image.OPEN)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation(orientation):
    """The eight orientations of EXIF 2.3, undone with numpy."""
    upright = np.asarray(PICTURE)
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.transpose(1, 0, 2), 6: np.rot90(upright, 1), 7: np.rot90(upright.transpose(1, 0, 2), 2),
        8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(Image.fromarray(np.ascontiguousarray(stored)), "PNG", exif=exif)
    assert close(open_image(data), upright, 0)


def test_16_bit_grey_keeps_its_range():
    values = np.linspace(0, 65535, 64 * 48).astype(">u2").reshape(64, 48)
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    expected = np.repeat((values.astype(float) / 257).astype(int)[..., None], 3, 2)
    assert close(open_image(png(48, 64, 16, 0, rows)), expected, 1)


def test_16_bit_rgb():
    values = RNG.integers(0, 65536, (64, 48, 3)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    assert close(open_image(png(48, 64, 16, 2, rows)), values.astype(int) // 256, 1)


@pytest.mark.parametrize("full", [1.0, 255.0, 65535.0])
def test_float_tiff(full):
    values = np.linspace(0, full, 64 * 48, dtype=np.float32).reshape(64, 48)
    expected = np.repeat((values / full * 255).astype(int)[..., None], 3, 2)
    assert close(open_image(encode(Image.fromarray(values), "TIFF")), expected, 1)


def test_transparency_lies_over_white():
    rgba = np.zeros((40, 40, 4), np.uint8)
    rgba[:20] = (200, 30, 30, 255)
    rgba[20:] = (0, 0, 0, 128)
    found = np.asarray(open_image(encode(Image.fromarray(rgba), "PNG")), int)
    assert found[0, 0].tolist() == [200, 30, 30]
    assert abs(found[-1, -1] - 127).max() <= 1


def test_palette_with_alpha():
    image = Image.new("P", (40, 40), 1)
    image.putpalette([10, 20, 30, 250, 0, 0])
    image.paste(0, (0, 0, 40, 20))
    found = open_image(encode(image, "PNG", transparency=0))
    assert found.getpixel((0, 0)) == (255, 255, 255)
    assert found.getpixel((0, 39)) == (250, 0, 0)


def test_cmyk():
    image = Image.new("CMYK", (40, 40), (0, 255, 255, 0))  # red ink
    red, green, blue = open_image(encode(image, "JPEG", quality=95)).getpixel((20, 20))
    assert red > 200
    assert max(green, blue) < 60


def test_progressive_jpeg_is_no_bomb():
    assert close(open_image(scans(1)), PICTURE, 12)


def test_broken_exif_does_not_cost_the_picture():
    assert close(open_image(encode(PICTURE, "PNG", exif=b"Exif\0\0garbage")), PICTURE, 0)


@pytest.mark.parametrize("mode", ["1", "L", "LA"])
def test_grey(mode):
    found = open_image(encode(PICTURE.convert(mode), "PNG"))
    assert close(found, PICTURE.convert(mode).convert("L").convert("RGB"), 0)


@pytest.mark.parametrize("image_format", ["GIF", "WEBP", "PNG"])
def test_animation_shows_its_first_frame(image_format):
    red, blue = Image.new("RGB", (40, 40), (255, 0, 0)), Image.new("RGB", (40, 40), (0, 0, 255))
    data = encode(red, image_format, save_all=True, append_images=[blue], duration=100)
    found = open_image(data).getpixel((20, 20))
    assert found[0] > 240
    assert found[2] < 15


BAD = {  # name -> (bytes, words its sentence must hold)
    "empty.png": (b"", "empty"),
    "notes.jpg": (b"Dear diary, this is no picture.\n" * 30, "not an image"),
    "drawing.png": (b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'></svg>", "SVG"),
    "page.jpg": (b"<!DOCTYPE html><html></html>", "web page"),
    "document.jpg": (b"%PDF-1.7\n" + b"0" * 1000, "not an image"),
    "truncated.jpg": (encode(PICTURE.resize((480, 640)), "JPEG")[:3000], "damaged"),
    "truncated.png": (encode(PICTURE, "PNG")[:400], "damaged"),
    "header.png": (encode(PICTURE, "PNG")[:20], "not an image"),
    "bomb.png": (png(20_000, 20_000, 8, 2, b""), "megapixels"),
    "large.png": (png(9_000, 9_000, 8, 0, b""), "9,000 x 9,000 pixels"),
    "zero.png": (png(0, 40, 8, 0, b""), "not an image"),
    "one.png": (encode(Image.new("RGB", (1, 1)), "PNG"), "too small"),
    "thin.png": (encode(Image.new("RGB", (500, 31)), "PNG"), "500 x 31"),
    "scans.jpg": (scans(1000), "very long to open"),
    "large.bmp": (encode(Image.new("RGB", (3000, 3000)), "BMP"), "has 26 MB and the limit is 20 MB"),
    "huge.jpg": (encode(PICTURE, "JPEG") + bytes(65 * 2**20), "has 65 MB and the limit is 64 MB"),
    "padded.jpg": (encode(PICTURE, "JPEG")[:-2] + b"\xff" * 2**20 + scans(1000)[2:], "very long to open"),
    "negative.tif": (encode(Image.fromarray(np.full((40, 40), -5, np.float32)), "TIFF"), "pixel values"),
    "nan.tif": (encode(Image.fromarray(np.full((40, 40), np.nan, np.float32)), "TIFF"), "pixel values"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_file_is_one_sentence(name, tmp_path):
    data, words = BAD[name]
    (tmp_path / name).write_bytes(data)
    for source in (tmp_path / name, data):
        with pytest.raises(ImageError) as caught:
            open_image(source, name=name)
        sentence = str(caught.value)
        assert sentence.startswith(name)
        assert words in sentence
        assert sentence.endswith(".")
        assert "\n" not in sentence
        assert ";" in sentence or "export" in sentence, "names no remedy"


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for path, words in (
        (tmp_path / "none.png", "does not exist"),
        (tmp_path, "not a file"),
        (tmp_path / "pipe.png", "not a file"),
    ):
        with pytest.raises(ImageError, match=words):
            open_image(path)


def test_pil_images_are_taken_and_left_alone(bundled):
    """At their size, on their frame, not even loaded smaller: whatever is judged is a copy."""
    grey = PICTURE.convert("L")
    assert close(open_image(grey), grey.convert("RGB"), 0)
    assert grey.mode == "L"
    lazy = Image.open(io.BytesIO(encode(PICTURE.resize((2400, 1800)), "JPEG", quality=95)))
    clip = Image.open(io.BytesIO(encode(PICTURE, "GIF", save_all=True, append_images=[PICTURE.rotate(180)])))
    clip.seek(1)
    shown = PICTURE.copy()
    bundled.predict([lazy, clip, shown])
    assert (lazy.size, clip.tell(), clip.n_frames) == ((2400, 1800), 1, 2)
    assert close(lazy, PICTURE.resize((2400, 1800)), 2)
    assert shown.tobytes() == PICTURE.tobytes()
    assert shown.info == PICTURE.info
    assert close(open_image(clip), PICTURE.rotate(180), 12)  # the frame it stands on
    broken = Image.open(io.BytesIO(encode(PICTURE, "JPEG")[:-200]))
    with pytest.raises(ImageError, match="damaged"):
        open_image(broken)
    with pytest.raises(ImageError, match="too small"):
        open_image(Image.new("RGB", (8, 8)))


def test_broken_bytes_never_raise_anything_else():
    """1,200 files with a few bytes changed: each is an RGB image or an ImageError."""
    draw = random.Random(0)
    originals = [encode(PICTURE, f) for f in ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "AVIF", "MPO")]
    outcomes = {"image": 0, "error": 0}
    for i in range(1200):
        data = bytearray(originals[i % len(originals)])
        for _ in range(draw.randint(1, 12)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        if draw.random() < 0.3:
            data = data[: draw.randrange(len(data))]
        try:
            assert open_image(bytes(data)).mode == "RGB"
            outcomes["image"] += 1
        except ImageError:
            outcomes["error"] += 1
    assert min(outcomes.values()) > 100  # both sides were really reached


def test_find_images(tmp_path):
    (tmp_path / "folder.jpg").mkdir()
    for name in ("b.JPG", "a.png", "sub/c.webp", ".hidden/d.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [str(path.relative_to(tmp_path)) for path in find_images(tmp_path)] == ["a.png", "b.JPG", "sub/c.webp"]


@pytest.mark.parametrize(
    ("size", "enough", "expected"),
    [
        ((1000, 800), 500, (1000, 800)),
        ((1000, 800), 400, (500, 400)),
        ((1000, 801), 100, (125, 101)),
        ((1000, 800), None, (1000, 800)),
    ],
)
def test_large_jpeg_is_decoded_no_larger_than_needed(size, enough, expected):
    image = PICTURE.resize(size)
    assert open_image(encode(image, "JPEG"), enough=enough).size == expected
    assert open_image(encode(image, "PNG"), enough=enough).size == size
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side
    assert open_image(encode(image, "JPEG", exif=exif), enough=enough).size == expected[::-1]


@pytest.mark.parametrize("example", ["astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "starry_night.jpg"])
def test_smaller_decoding_gives_the_same_answer(bundled, example):
    picture = open_image(EXAMPLES / example)
    noise = RNG.normal(0, 6, (2400, 3200, 3))  # a camera's, so that there is detail to lose
    large = Image.fromarray((np.asarray(picture.resize((3200, 2400), Image.LANCZOS)) + noise).clip(0, 255).astype("u1"))
    data = encode(large, "JPEG", quality=92)
    assert open_image(data, enough=4 * 224).size == (1600, 1200)
    small, whole = bundled.predict([data, open_image(data)])
    np.testing.assert_allclose(list(small.probs.values()), list(whole.probs.values()), atol=0.01)
