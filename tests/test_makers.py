"""Ordinary files from ordinary makers: none is an attack, none is damaged, and each shows what a person sees."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from detector.containers import picture_of
from detector.images import MAX_BYTES, ImageError, open_image
from tests.conftest import EXAMPLES
from tests.test_images import PICTURE, close, encode, png, scans

RNG = np.random.default_rng(1)
VIDEO = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + RNG.integers(0, 256, 3 * 2**20, np.uint8).tobytes()
JPEG = encode(PICTURE, "JPEG", quality=95)


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def chunk(kind: bytes, body: bytes, right: bool = True) -> bytes:
    checksum = zlib.crc32(kind + body) ^ (not right)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def with_chunk(added: bytes, before: bytes = b"IDAT") -> bytes:
    data = encode(PICTURE, "PNG")
    place = data.index(before) - 4
    return data[:place] + added + data[place:]


def gradient() -> np.ndarray:
    return np.linspace(0, 1, 64 * 48).reshape(64, 48)


def tiff(pixels: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, **options)
    return buffer.getvalue()


# JPEG


@pytest.mark.parametrize("rest", [
    VIDEO, VIDEO * 8, bytes(1000), b"\xff\xda" * 1000, JPEG, JPEG * 30, scans(1000), b"\xff", b"PK\3\4" + bytes(99),
], ids=["video", "24 MB", "zeros", "scans", "gain map", "many", "bomb behind it", "FF", "zip"])  # fmt: skip
def test_what_follows_a_jpeg_is_not_the_picture(rest):
    assert open_image(JPEG + rest).tobytes() == open_image(JPEG).tobytes()


def test_ultra_hdr_and_depth_maps_are_metadata():
    """A multi-picture index, 25 MB of extended XMP, a comment: skipped, and not counted as the picture."""
    xmp = b"http://ns.adobe.com/xmp/extension/\0" + bytes(65000)
    mpf = segment(0xE2, b"MPF\0II*\0" + bytes(100))
    data = JPEG[:2] + mpf + segment(0xFE, b"a comment \xff\xda") + segment(0xE1, xmp) * 400 + JPEG[2:] + JPEG
    assert len(data) > MAX_BYTES
    assert open_image(data).tobytes() == open_image(JPEG).tobytes()


def test_two_pictures_in_one_file_show_the_first():
    data = encode(PICTURE, "MPO", save_all=True, append_images=[PICTURE.rotate(180)], quality=95)
    assert close(open_image(data), PICTURE, 4)


def test_jpeg_keeps_its_exif_its_profile_and_adobe_s_mark():
    exif = Image.Exif()
    exif[0x0112] = 3
    data = encode(PICTURE, "JPEG", exif=exif, quality=95)
    assert close(open_image(data + VIDEO), PICTURE.rotate(180), 4)
    inks = encode(Image.new("CMYK", (40, 40), (0, 255, 255, 0)), "JPEG")
    assert open_image(inks + VIDEO).tobytes() == open_image(inks).tobytes()
    assert b"Adobe" in picture_of(inks).data


@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_without_its_end_marker_is_what_a_browser_draws(progressive):
    data = encode(PICTURE, "JPEG", quality=95, progressive=progressive)
    assert open_image(data[:-2]).tobytes() == open_image(data).tobytes()
    assert open_image(data[:-1]).tobytes() == open_image(data).tobytes()


def test_jpeg_that_breaks_off_loses_only_the_rows_that_never_came(caplog):
    large = PICTURE.resize((480, 640))
    data = encode(large, "JPEG", quality=90)
    found = open_image(data[: int(len(data) * 0.8)])
    assert found.width == 480
    assert 320 <= found.height < 640
    assert close(found.crop((0, 0, 480, 300)), large.crop((0, 0, 480, 300)), 2)
    assert f"the upper {found.height} of its 640 rows" in caplog.text
    with pytest.raises(ImageError, match="damaged or incomplete"):
        open_image(data[: int(len(data) * 0.3)])


def test_scans_are_refused_wherever_they_hide():
    bomb = scans(1000)
    for data in (bomb, bomb[:2] + segment(0xE5, bytes(9000)) + bomb[2:], bomb[:2] + b"\xff" * 50_000 + bomb[2:]):
        with pytest.raises(ImageError, match="very long to open"):
            open_image(data)


# PNG


@pytest.mark.parametrize("added", [
    chunk(b"tEXt", b"workflow\0" + b"x" * 3 * 2**20), chunk(b"zTXt", b"prompt\0\0" + zlib.compress(bytes(80 * 2**20))),
    chunk(b"iTXt", b"a\0\1\0\0\0" + zlib.compress(bytes(2**21))), chunk(b"tEXt", b"wrong\0sum", right=False),
    chunk(b"gAMA", b"\0\1", right=False), chunk(b"eXIf", b"nothing of the kind"), chunk(b"zTXt", b"broken\0\0no zlib"),
    chunk(b"prVt", RNG.integers(0, 256, 21 * 2**20, np.uint8).tobytes()), chunk(b"iCCP", b"p\0\0nonsense", right=False),
    b"".join(chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(900_000))) for _ in range(90)),
], ids=["3 MB text", "bomb", "iTXt", "checksum", "gAMA", "eXIf", "no zlib", "21 MB", "iCCP", "90 texts"])  # fmt: skip
@pytest.mark.parametrize("before", [b"IDAT", b"IEND"])
def test_what_else_a_png_holds_is_not_the_picture(added, before):
    assert open_image(with_chunk(added, before)).tobytes() == PICTURE.tobytes()


def test_png_without_its_end_and_with_wrong_sums_over_sound_pixels():
    data = encode(PICTURE, "PNG")
    assert open_image(data[: data.index(b"IEND") - 4]).tobytes() == PICTURE.tobytes()
    place = data.index(b"IDAT")
    length = struct.unpack(">I", data[place - 4 : place])[0]
    sums = place + 4 + length
    assert open_image(data[:sums] + b"oops" + data[sums + 4 :]).tobytes() == PICTURE.tobytes()
    with pytest.raises(ImageError, match="damaged"):  # the pixels themselves
        open_image(data[: place + 400] + b"oops" + data[place + 404 :])


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "1", "LA"])
def test_png_that_breaks_off_loses_only_the_rows_that_never_came(mode, caplog):
    noise = Image.fromarray(RNG.integers(0, 256, (300, 200, 3), np.uint8)).convert(mode)
    whole, data = open_image(encode(noise, "PNG")), encode(noise, "PNG")
    found = open_image(data[: int(len(data) * 0.8)])
    assert 150 <= found.height < 300
    assert found.tobytes() == whole.crop((0, 0, 200, found.height)).tobytes()
    assert "breaks off" in caplog.text
    with pytest.raises(ImageError, match="damaged or incomplete"):
        open_image(data[: int(len(data) * 0.3)])


def test_pixels_of_a_png_still_count():
    data = png(3000, 3000, 8, 2, b"".join(b"\0" + RNG.integers(0, 256, 9000, np.uint8).tobytes() for _ in range(3000)))
    with pytest.raises(ImageError, match="has 26 MB and the limit is 20 MB"):
        open_image(data)


# TIFF and BMP


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_tiff_of_16_bits_whose_white_is_zero(byteorder):
    values = (gradient() * 65535).astype(np.uint16)
    data = tiff(65535 - values, photometric="miniswhite", byteorder=byteorder)
    assert close(open_image(data), np.repeat((values // 257)[..., None], 3, 2), 1)


@pytest.mark.parametrize("options", [
    {}, {"planarconfig": "separate"}, {"byteorder": ">"}, {"compression": "zlib"}, {"tile": (16, 16)},
], ids=str)  # fmt: skip
@pytest.mark.parametrize(("dtype", "full"), [("f4", 1), ("f4", 255), ("f8", 65535), ("u2", 65535), ("u4", 2**32 - 1)])
def test_tiff_of_colours_in_floats_and_wide_integers(dtype, full, options):
    share = np.stack([gradient(), gradient().T.reshape(64, 48), 1 - gradient()], -1)  # (64, 48, 3)
    pixels = (share * full).astype(dtype)
    if "planarconfig" in options:
        pixels = np.moveaxis(pixels, -1, 0).copy()
    assert close(open_image(tiff(pixels, photometric="rgb", **options)), (share * 255).astype(int), 1)


def test_tiff_of_floats_that_are_no_colours():
    for value in (-1.0, np.nan, np.inf, 1e6):
        with pytest.raises(ImageError, match="pixel values"):
            open_image(tiff(np.full((40, 40, 3), value, "f4"), photometric="rgb"))


@pytest.mark.parametrize("flagged", [True, False])
def test_tiff_whose_first_page_is_a_small_copy(flagged):
    buffer, large = io.BytesIO(), np.asarray(PICTURE.resize((480, 640)))
    with tifffile.TiffWriter(buffer) as file:
        file.write(np.asarray(PICTURE.resize((96, 128))), photometric="rgb", subfiletype=int(flagged))
        file.write(large, photometric="rgb")
    assert open_image(buffer.getvalue()).tobytes() == large.tobytes()


def test_tiff_of_many_pages_shows_its_first():
    pages = [np.full((64, 48, 3), value, np.uint8) for value in (10, 200, 90)]
    assert open_image(tiff(np.stack(pages), photometric="rgb")).getpixel((0, 0)) == (10, 10, 10)
    pages = [Image.fromarray(page) for page in pages]
    larger = Image.new("RGB", (4000, 500))  # another sheet, not the same picture larger
    assert open_image(encode(pages[0], "TIFF", save_all=True, append_images=[pages[1], larger])).size == (48, 64)


def test_16_bit_grey_with_a_transparent_value():
    """The value means nothing once there are only 256 of them."""
    rows = b"".join(b"\0" + row.tobytes() for row in (gradient() * 65535).astype(">u2"))
    data = png(48, 64, 16, 0, rows)
    place = data.index(b"IDAT") - 4
    data = data[:place] + chunk(b"tRNS", b"\x12\x34") + data[place:]
    assert close(open_image(data), np.repeat((gradient() * 255).astype(int)[..., None], 3, 2), 1)


def test_tiff_that_asks_for_too_much():
    with pytest.raises(ImageError, match="megapixels"):
        open_image(sparse_tiff(30_000, 30_000))


def sparse_tiff(width: int, height: int) -> bytes:
    """A float RGB TIFF that claims a size and holds nothing (TIFF 6.0)."""
    entries = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 32), (259, 3, 1, 1), (262, 3, 1, 2),
               (273, 4, 1, 8), (277, 3, 1, 3), (278, 4, 1, height), (279, 4, 1, 12), (339, 3, 1, 3)]  # fmt: skip
    table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + table + bytes(4)


@pytest.mark.parametrize("bits", ["BITMAPV4", "BITMAPINFO"])
def test_bmp_whose_fourth_byte_was_left_at_zero(bits):
    """32 bits a pixel, the fourth named as alpha or not: programs that know no transparency leave it zero."""
    pixels = np.dstack([np.asarray(PICTURE)[..., ::-1], np.zeros((64, 48), np.uint8)])[::-1].tobytes()
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    size, compression, more = (108, 3, masks + b"BGRs" + bytes(48)) if bits == "BITMAPV4" else (40, 0, b"")
    header = struct.pack("<IiiHHIIiiII", size, 48, 64, 1, 32, compression, len(pixels), 0, 0, 0, 0) + more
    data = b"BM" + struct.pack("<IHHI", 14 + len(header) + len(pixels), 0, 0, 14 + len(header)) + header + pixels
    assert open_image(data).tobytes() == PICTURE.tobytes()


# Colours


def profile(space: str = "Display P3") -> bytes:
    """A matrix profile written by hand (ICC.1:2001), gamma 2.2: its primaries in the connection space."""
    primaries = {
        "Display P3": ((0.5151, 0.2412, -0.0011), (0.2919, 0.6922, 0.0419), (0.1572, 0.0666, 0.7841)),
        "Adobe RGB": ((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446)),
    }[space]

    def fixed(x: float) -> bytes:
        return struct.pack(">i", round(x * 65536))

    def xyz(values) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(map(fixed, values))

    curve = b"curv\0\0\0\0" + struct.pack(">IHH", 1, round(2.2 * 256), 0)
    text = b"desc\0\0\0\0" + struct.pack(">I", 2) + b"x\0" + bytes(80)
    tags = [(b"desc", text), (b"cprt", b"text\0\0\0\0none"), (b"wtpt", xyz((0.9642, 1, 0.8249)))]
    tags += [(name, xyz(p)) for name, p in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)]
    tags += [(name, curve) for name in (b"rTRC", b"gTRC", b"bTRC")]
    table, body, start = b"", b"", 132 + 12 * len(tags)
    for name, value in tags:
        table += name + struct.pack(">II", start + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    head = struct.pack(">I", start + len(body)) + bytes(4) + struct.pack(">I", 0x02100000) + b"mntrRGB XYZ "
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + b"".join(map(fixed, (0.9642, 1, 0.8249)))
    return head + bytes(48) + struct.pack(">I", len(tags)) + table + body


def adobe_rgb_by_hand(picture: Image.Image) -> np.ndarray:
    """sRGB pixels -> Adobe RGB (1998) pixels, by the formulas of both standards: no library's word is taken."""
    share = np.asarray(picture) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505)))
    from_xyz = np.array(((2.0414, -0.5649, -0.3447), (-0.9693, 1.8760, 0.0416), (0.0134, -0.1184, 1.0154)))
    return ((linear @ (from_xyz @ to_xyz).T).clip(0, 1) ** (1 / 2.2) * 255).round().astype(np.uint8)


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    return Image.open(EXAMPLES / "coffee.png").convert("RGB")


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_colours_of_adobe_rgb_are_seen_as_they_were(photo, image_format):
    lossless = {"JPEG": {"quality": 98, "subsampling": 0}, "WEBP": {"lossless": True}}.get(image_format, {})
    stored = Image.fromarray(adobe_rgb_by_hand(photo))
    data = encode(stored, image_format, icc_profile=profile("Adobe RGB"), **lossless)
    assert np.abs(np.asarray(stored, int) - np.asarray(photo, int)).mean() > 4  # without the profile it is another
    assert close(open_image(data), photo, 1.5)


def test_transparency_and_profile_together(photo):
    stored = Image.fromarray(adobe_rgb_by_hand(photo))
    stored.putalpha(255)
    stored.paste((0, 0, 0, 0), (0, 0, 50, 50))
    found = open_image(encode(stored, "PNG", icc_profile=profile("Adobe RGB")))
    assert found.getpixel((10, 10)) == (255, 255, 255)
    assert close(found.crop((60, 60, 400, 300)), photo.crop((60, 60, 400, 300)), 1)


def test_a_palette_with_a_profile(photo):
    stored = Image.fromarray(adobe_rgb_by_hand(photo)).quantize(256)
    found = open_image(encode(stored, "PNG", icc_profile=profile("Adobe RGB")))
    assert close(found, photo, 6)


def test_srgb_s_own_profile_changes_nothing(photo):
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert open_image(encode(photo, "PNG", icc_profile=own)).tobytes() == photo.tobytes()


def test_an_image_of_pillow_s_with_a_profile(photo):
    stored = Image.fromarray(adobe_rgb_by_hand(photo))
    stored.info["icc_profile"] = profile("Adobe RGB")
    assert close(open_image(stored), photo, 1)


@pytest.mark.parametrize("broken", [
    b"nonsense", profile()[:200], bytes(128) + b"acsp" * 99, b"\0" * 9 * 2**20,
    profile().replace(b"RGB XYZ ", b"CMYKLab "), profile().replace(b"RGB XYZ ", b"GRAYXYZ "),
], ids=["words", "cut off", "acsp", "9 MB", "of inks", "of grey"])  # fmt: skip
def test_a_broken_profile_is_taken_as_srgb_and_said(photo, broken, caplog):
    from detector.colour import _transform

    _transform.cache_clear()
    small = photo.resize((60, 40))
    data = encode(small, "PNG", icc_profile=broken) if len(broken) < 2**20 else None
    image = small.copy()
    image.info["icc_profile"] = broken
    assert open_image(data or image).tobytes() == small.tobytes()
    assert caplog.text.count("profile is broken") == 1


def test_colours_of_lab():
    """CIELAB of TIFF: 53 % light, no colour, is the middle grey; PNG has no such mode."""
    lab = Image.new("LAB", (40, 40), (round(53.6 * 2.55), 128, 128))
    assert np.abs(np.array(open_image(encode(lab, "TIFF")).getpixel((9, 9))) - 128).max() <= 2
