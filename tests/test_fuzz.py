"""Broken files by the thousand: nothing crashes, hangs or grows, and every refusal is one sentence."""

import logging
import os
import struct
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from detector import ImageError
from detector.images import open_image
from tests import fuzz
from tests.broken import mutated

N = 20_000


def test_twenty_thousand_broken_files():
    found = fuzz.run(N)
    assert found.faults == []
    assert sum(found.became.values()) == N
    assert min(found.became[kind] for kind in ("opened", "refused", "zip opened", "zip refused")) > N / 1000
    assert found.slowest < fuzz.HANG
    assert found.growth < fuzz.GROWTH


def fails(number: int, known: Sequence[bytes], folder: Path) -> str:
    if number == 3:
        os.abort()
    if number == 5:
        time.sleep(60)
    if number == 7:
        raise ValueError("seven")
    return "fine"


def test_crashes_hangs_and_errors_are_found(monkeypatch):
    monkeypatch.setattr(fuzz, "HANG", 1)
    found = fuzz.run(10, processes=1, trying=fails)
    assert found.faults[-1] == "7: ValueError: seven"
    assert found.faults[:2] == ["3: ends the process (-6)", "5: hangs"]
    assert found.became["fine"] == 3  # 6, 8, 9: what a process found that ended is lost with it


@pytest.mark.parametrize(
    "text", ["", "No full stop", "Two\nlines.", "x" * 400 + ".", "Traceback (most recent call last)."]
)
def test_what_is_no_sentence_is_found(text):
    with pytest.raises(AssertionError):
        fuzz.sentence(text)


def test_the_same_number_is_the_same_file():
    known = [bytes(range(256)), b"abc" * 100]
    assert [mutated(i, known) for i in range(99)] == [mutated(i, known) for i in range(99)]
    assert len({mutated(i, known) for i in range(99)}) > 95


def test_a_hostile_tiff_does_not_fill_the_log(caplog):
    tags = b"".join(struct.pack("<HHII", 1000 + i, 200, 1, 2**31) for i in range(2000))
    with caplog.at_level(logging.WARNING), pytest.raises(ImageError):
        open_image(b"II*\0\x08\0\0\0" + struct.pack("<H", 2000) + tags + bytes(4))
    assert len(caplog.records) < 5


@pytest.mark.parametrize(
    ("kind", "count"), [(2, 4), (7, 4), (3, 2)], ids=["text", "bytes", "two numbers"]
)  # TIFF's types ASCII, UNDEFINED, SHORT; found among 180,000 broken files
def test_a_tiff_as_wide_as_a_word(kind, count):
    broken = struct.pack("<HHI4s", 256, kind, count, b"640\0")
    sound = [struct.pack("<HHII", tag, 3, 1, value) for tag, value in ((257, 64), (258, 8), (259, 1), (262, 1))]
    strip = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in ((273, 8), (279, 4096))]
    data = b"II*\0\x08\0\0\0" + struct.pack("<H", 7) + b"".join([broken, *sound, *strip]) + bytes(4100)
    with pytest.raises(ImageError) as caught:
        open_image(data)
    fuzz.sentence(str(caught.value))
