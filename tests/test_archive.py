"""Zips, also those that were made to harm."""

import json
import stat
import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from detector import ImageError, archive
from detector.__main__ import main
from detector.archive import open_zip, unpack
from tests.conftest import EXAMPLES

CAT = (EXAMPLES / "chelsea.png").read_bytes()


def zip_of(path: Path, members: dict, compression=zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def test_pictures_are_found_and_the_rest_is_left_alone(tmp_path):
    members = {"a/cat.png": CAT, "b/cat.png": b"other", "notes.txt": b"", "__MACOSX/a/cat.png": b"", ".hidden.png": b""}
    found = open_zip(zip_of(tmp_path / "pile.zip", members))
    assert (list(found.pictures), found.left_out, found.others) == (["a/cat.png", "b/cat.png"], {}, 3)
    assert found.read("a/cat.png") == CAT
    files = unpack(found, tmp_path / "out")
    assert {name: path.read_bytes() for name, path in files.items()} == {"a/cat.png": CAT, "b/cat.png": b"other"}
    assert {path.name for path in files.values()} == {"cat.png"}


@pytest.mark.parametrize(
    "name",
    ["../cat.png", "a/../../cat.png", "/etc/cat.png", "..\\cat.png", "C:\\cat.png", "a\\..\\..\\cat.png", "C:cat.png"],
)
def test_no_name_leads_out(tmp_path, name):
    found = open_zip(zip_of(tmp_path / "pile.zip", {name: CAT, "good.png": CAT}))
    assert list(found.pictures) == ["good.png"]
    assert "leads out of the zip" in found.left_out[name]
    unpack(found, tmp_path / "out" / "in")
    assert sorted(path.name for path in tmp_path.rglob("*.png")) == ["good.png"]


def test_links_passwords_zips_and_rare_packings_are_left_out_in_a_sentence(tmp_path):
    link = zipfile.ZipInfo("link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = tmp_path / "pile.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(link, "/etc/passwd")
        file.writestr("inner.zip", b"PK")
        file.writestr("slow.png", CAT, zipfile.ZIP_LZMA)
        file.writestr("locked.png", CAT)
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"locked.png") - 46  # its place in the directory at the end (APPNOTE 4.3.12)
    data[entry + 8] |= 1
    path.write_bytes(data)
    found = open_zip(path)
    assert found.pictures == {}
    words = {"link.png": "is a link", "inner.zip": "a zip in the zip", "slow.png": "unusual", "locked.png": "password"}
    assert {name: words[name] in reason for name, reason in found.left_out.items()} == dict.fromkeys(words, True)


@pytest.mark.parametrize("data", [b"", b"no zip", b"PK\x03\x04" + bytes(50), b"PK\x05\x06" + b"\xff" * 6])
def test_what_is_no_zip_is_told_in_a_sentence(tmp_path, data):
    (tmp_path / "pile.zip").write_bytes(data)
    with pytest.raises(ImageError, match=r"pile\.zip is damaged or is no zip"):
        open_zip(tmp_path / "pile.zip")


def test_a_bomb_is_refused_before_a_byte_of_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_FILE", 10_000)
    monkeypatch.setattr(archive, "MAX_RATIO", 10_000)
    found = open_zip(zip_of(tmp_path / "one.zip", {"bomb.png": bytes(10_001), "small.png": bytes(10_000)}))
    assert (list(found.pictures), "limit" in found.left_out["bomb.png"]) == (["small.png"], True)
    monkeypatch.setattr(archive, "MAX_UNPACKED", 50_000)
    path = zip_of(tmp_path / "all.zip", {f"{i}.png": bytes(10_000) for i in range(6)})
    assert path.stat().st_size < 2000
    with pytest.raises(ImageError, match=r"The pictures in all\.zip have"):
        open_zip(path)
    monkeypatch.setattr(archive, "MAX_MEMBERS", 5)
    with pytest.raises(ImageError, match="holds 6 files and the limit is 5"):
        open_zip(path)


def test_a_member_that_lies_about_its_size_gives_no_more_than_it_said(tmp_path):
    path = zip_of(tmp_path / "pile.zip", {"lie.png": bytes(5_000_000)})  # 5 kB in the zip
    data = bytearray(path.read_bytes())
    for place, header in ((data.index(b"PK\x03\x04"), 22), (data.index(b"PK\x01\x02"), 24)):
        struct.pack_into("<I", data, place + header, 100)  # the size unpacked
    path.write_bytes(data)
    found = open_zip(path)
    tracemalloc.start()
    with pytest.raises(ImageError, match=r"lie\.png cannot be unpacked"):
        found.read("lie.png")
    assert tracemalloc.get_traced_memory()[1] < 1_000_000  # of the five that it holds
    tracemalloc.stop()
    assert unpack(found, tmp_path / "out") == {}
    assert "cannot be unpacked" in found.left_out["lie.png"]


def test_what_is_packed_as_no_picture_is_and_endless_directories_are_refused(tmp_path, monkeypatch):
    found = open_zip(zip_of(tmp_path / "pile.zip", {"zeros.bmp": bytes(5_000_000), "cat.png": CAT}))
    assert (list(found.pictures), "packed as no picture" in found.left_out["zeros.bmp"]) == (["cat.png"], True)
    path = zip_of(tmp_path / "many.zip", {f"{i}.png": b"" for i in range(60)})
    monkeypatch.setattr(archive, "ZipFile", None)  # it is not even asked
    monkeypatch.setattr(archive, "MAX_MEMBERS", 5)
    with pytest.raises(ImageError, match="too many files"):
        open_zip(path)


def test_two_entries_of_one_name_are_one_picture(tmp_path):
    with zipfile.ZipFile(tmp_path / "pile.zip", "w") as file:
        file.writestr("cat.png", b"first")
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr("cat.png", b"second")
    found = open_zip(tmp_path / "pile.zip")
    assert {name: path.read_bytes() for name, path in unpack(found, tmp_path / "out").items()} == {"cat.png": b"second"}


def test_a_name_of_any_length_is_unpacked(tmp_path):
    found = open_zip(zip_of(tmp_path / "pile.zip", {"\N{GRINNING FACE}" * 1000 + ".png": CAT}))
    (path,) = unpack(found, tmp_path / "out").values()
    assert path.read_bytes() == CAT


def test_the_command_answers_for_a_zip_as_for_its_pictures(tmp_path, capsys):
    names = ("chelsea.png", "rocket.jpg")
    members = {f"in/{name}": (EXAMPLES / name).read_bytes() for name in names} | {"../out.png": CAT, "bad.jpg": b"bad"}
    path = zip_of(tmp_path / "pile.zip", members)
    options = ["--model", "bundled", "--precision", "fp32", "--json"]
    assert main([str(path), *options, "--maps", str(tmp_path / "maps")]) == 1
    found = {found["file"]: found for found in map(json.loads, capsys.readouterr().out.splitlines())}
    assert main([*(str(EXAMPLES / name) for name in names), *options]) == 0
    alone = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for name, expected in zip(names, alone, strict=True):
        assert found[f"{path}/in/{name}"] | {"file": ""} == expected | {"file": ""}
    assert "leads out" in found[f"{path}/../out.png"]["error"]
    assert "is not an image" in found[f"{path}/bad.jpg"]["error"]
    written = {file.relative_to(tmp_path).parts[:3] for file in (tmp_path / "maps").rglob("*.png")}
    assert {parts[:3] for parts in written} == {("maps", "pile", "in")}
    assert main([str(path), "--provenance", "--json"]) == 1
    assert len(capsys.readouterr().out.splitlines()) == 4
    (tmp_path / "pile.zip").write_bytes(b"broken")
    assert main([str(path), *options]) == 1
    assert "is damaged or is no zip" in json.loads(capsys.readouterr().out)["error"]


def test_a_zip_is_read_from_many_threads(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    members = {f"{i}.png": bytes([i]) * 20_000 for i in range(64)}
    found = open_zip(zip_of(tmp_path / "pile.zip", members))
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(found.read, members)) == list(members.values())
