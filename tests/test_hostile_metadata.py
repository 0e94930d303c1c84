"""Metadata that is broken, endless or made to explode costs a sentence, and never the picture's answer."""

import json
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from detector import ImageError, provenance
from detector.images import open_image
from detector.provenance.text import MAX_FIELDS, MAX_TEXT, Budget
from tests.marks import chunk, picture, png, saved, stealth, with_chunks


def test_a_bomb_of_text_is_inflated_no_further_than_allowed(monkeypatch):
    taken = []
    monkeypatch.setattr("detector.provenance.makers.RULES", ())
    monkeypatch.setattr(Budget, "take", lambda self, n: taken.append(n))
    provenance.read(with_chunks(chunk(b"zTXt", b"parameters\0\0" + zlib.compress(b"A" * 200_000_000))))
    assert max(taken) == MAX_TEXT


@pytest.mark.parametrize(
    "chunks",
    [
        [chunk(b"tEXt", b"Software\0NovelAI", sound=False)],
        [chunk(b"eXIf", b"II*\0\x08\0\0\0\0\0", sound=False)],
        [chunk(b"zTXt", b"parameters\0\0" + zlib.compress(b"A" * 5_000_000))],
        [chunk(b"iTXt", b"parameters\0\1\0\0\0" + zlib.compress(b"A" * 5_000_000))],
    ],
)
def test_what_is_answered_is_read(chunks):
    """A fault in what is not the picture keeps a browser, and us, from nothing."""
    data = with_chunks(*chunks)
    open_image(data)
    provenance.read(data)


def overlapping_exif() -> bytes:
    """200 tags that all name the same 400,000 bytes."""
    entries = b"".join(struct.pack("<HHII", 40000 + i, 2, 400_000, 2500) for i in range(200))
    block = b"II*\0\x08\0\0\0" + struct.pack("<H", 200) + entries + b"\0\0\0\0"
    return block.ljust(2500, b"\0") + b"A" * 400_000


def test_metadata_that_is_more_than_it_seems_is_given_up_at_once():
    """Hours of work in a small file, each: packed XMP again and again, one text under many names, keys without end."""
    tags = zlib.compress(b"<x>" + b"<a/>" * 250_000 + b"</x>")
    xmp_again = chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + tags)
    keys = json.dumps({f"k{i}": "" for i in range(40_000)})
    begin = time.perf_counter()
    for data in (
        with_chunks(*[xmp_again] * 500),
        with_chunks(chunk(b"eXIf", overlapping_exif())),
        stealth(keys, size=(1000, 1000)),
        with_chunks(*[chunk(b"zTXt", b"k\0\0" + zlib.compress(b"A" * 1_000_000))] * 2000),
    ):
        found = provenance.read(data)
        assert found.findings == ()
    assert found.problems == ("It holds more text than is looked through.",)
    assert time.perf_counter() - begin < 30


def test_more_texts_than_are_looked_through_are_said():
    found = provenance.read(png(**{f"k{i}": "x" for i in range(MAX_FIELDS + 5)}))
    assert found.problems == ("It holds more text than is looked through.",)


@pytest.mark.parametrize(
    "packet",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><x:xmpmeta xmlns:x="adobe:ns:meta/">&b;</x:xmpmeta>',
        "<x:xmpmeta><unclosed>",
        "<a>" * 5000,
    ],
)
def test_xmp_that_is_none_is_said_in_a_sentence(packet):
    found = provenance.read(saved(picture(), "JPEG", xmp=packet.encode()))
    assert len(found.problems) == 1
    assert found.problems[0].startswith("Its XMP cannot be read")
    assert found.findings == ()


def test_hostile_text_takes_no_time():
    """Each repeats the beginning of a pattern that is searched for, as often as the limits allow."""
    begin = time.perf_counter()
    for piece in ("Steps: 1, ", "-s 1", '"Label":1', '{"uc":', "Job ID: 0", "AIGC{", "Signature: A"):
        text = piece * (90_000 // len(piece))
        provenance.read(png(parameters=text, Dream=text, AIGC=text, Description=text, Comment=text, Author=text))
    assert time.perf_counter() - begin < 20  # not a speed: a pattern that backtracks takes hours


def test_a_file_that_is_no_image_is_refused_as_ever(tmp_path):
    with pytest.raises(ImageError, match="does not exist"):
        provenance.read(tmp_path / "none.png")
    with pytest.raises(ImageError, match=r"notes\.txt is not an image"):
        provenance.read(b"hello", "notes.txt")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "AVIF"])
def test_flipped_bytes_raise_nothing_but_image_errors(kind):
    options = {} if kind == "GIF" else {"exif": Image.Exif()}
    if options:
        options["exif"][305] = "Stable Diffusion"
    data = saved(picture(), kind, **options)
    random = np.random.default_rng(0)
    for _ in range(300):
        broken = bytearray(data)
        for place in random.integers(0, min(len(data), 600), 4):
            broken[place] = random.integers(0, 256)
        try:
            provenance.read(bytes(broken))
        except ImageError as error:
            assert "\n" not in str(error)  # noqa: PT017 - most are read without
