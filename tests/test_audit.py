"""Audits and the collecting of more images: on pictures made here with known answers, and on the real images."""

import csv
import shutil

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from detector.images import open_image
from detector.transforms import hard, recompress
from experiments.bundled import collect
from tests.conftest import EXAMPLES
from tests.test_data import save
from train.data import audit
from train.data.folders import DataError, read_splits
from train.data.prepare import prepare, words
from train.data.scan import facts, jpeg_quality, scan


def test_perceptual_hash_finds_copies_and_nothing_else(tmp_path):
    originals = {path.name: open_image(path) for path in EXAMPLES.iterdir() if path.suffix != ".md"}
    made = {}
    for name, image in originals.items():
        made[name, "original"] = image
        made[name, "jpeg"] = recompress(image, 40)
        made[name, "small"] = image.resize((200, round(200 * image.height / image.width)))
        made[name, "hard"] = hard(image)
        made[name, "bright"] = ImageEnhance.Brightness(image).enhance(1.02)
    paths = []
    for (name, kind), image in made.items():
        paths.append(tmp_path / f"{name}-{kind}.png")
        image.save(paths[-1], compress_level=1)
    keys = list(made)
    found = {(keys[i], keys[j]) for i, j in audit.near_duplicates(scan(paths))}
    expected = {(a, b) for i, a in enumerate(keys) for b in keys[i + 1 :] if a[0] == b[0]}
    assert found == expected


@pytest.mark.parametrize("quality", [30, 50, 75, 92])
def test_quality_of_a_jpeg(tmp_path, quality):
    path = save(tmp_path / "a.jpg", quality=quality)
    assert facts(path).quality == pytest.approx(quality, abs=1.5)
    assert jpeg_quality(None) == 0


def plant(coloured, root, picture="train/human/0.png", to="test/human/planted.jpg"):
    shutil.copytree(coloured, root)
    Image.open(root / picture).resize((120, 90)).save(root / to, quality=80)
    return root


def test_planted_copy_is_refused(coloured, tmp_path):
    root = plant(coloured, tmp_path / "data")
    with pytest.raises(DataError, match=r"1 images are in a later split(.|\n)*human/0.png .train. shows the same"):
        prepare(str(root))
    found = prepare(str(root), drop_leaks=True)
    assert found.audit["images"] == {"train": 35, "val": 12, "test": 13}
    assert len(found.audit["leaks_left_out"]) == 1


def test_straddling_group_is_refused(coloured, tmp_path):
    root = tmp_path / "data"
    shutil.copytree(coloured, root)
    with (root / "index.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["split", "class", "file", "group"])
        rows.writerows([["train", "human", "1.png", "g"], ["val", "dalle", "2.png", "g"]])
    with pytest.raises(DataError, match=r"train/human/1.png \(train\): its group g is in val too"):
        prepare(str(root))


def test_folder_in_two_splits_is_refused(coloured, tmp_path):
    root = tmp_path / "data"
    shutil.copytree(coloured, root)
    for seed, split in enumerate(("train", "test")):
        save(root / split / "human" / "session 1" / f"{split}.png", seed=1000 + seed)
    with pytest.raises(DataError, match="its group human/session 1 is in test too"):
        prepare(str(root))


def test_same_picture_in_two_classes_is_told(coloured, tmp_path):
    found = prepare(str(plant(coloured, tmp_path / "data", to="train/dalle/planted.png")))
    assert len(found.audit["contradictions"]) == 1
    assert "stands in two classes" in words(found.audit)


def test_null_fires_on_a_shortcut_and_not_on_chance():
    random = np.random.default_rng(0)
    targets = random.integers(0, 3, 600).tolist()
    groups = [str(i // 3) for i in range(600)]
    width = [(1024, 640, 900)[t] + random.integers(0, 200) for t in targets]
    told = [(w, random.integers(1000), ("PNG", "JPEG")[random.integers(2)]) for w in width]
    assert audit.zero_pixel_null(told, targets, groups)["fires"]
    noise = [(random.integers(1000), ("PNG", "JPEG")[random.integers(2)]) for _ in targets]
    found = audit.zero_pixel_null(noise, targets, groups)
    assert not found["fires"]
    assert found["balanced_accuracy"] == pytest.approx(1 / 3, abs=0.08)


def test_null_does_not_count_what_a_group_gives_away():
    """Every group has a width of its own: known groups would make it a perfect shortcut."""
    random = np.random.default_rng(1)
    targets = [t for t in random.integers(0, 3, 100).tolist() for _ in range(6)]
    rows = [(1000 + 7 * (i // 6),) for i in range(600)]
    assert audit.zero_pixel_null(rows, targets, [str(i) for i in range(600)])["fires"]
    assert not audit.zero_pixel_null(rows, targets, [str(i // 6) for i in range(600)])["fires"]


def test_real_data(real_images):
    """Its originals differ, so the null must fire on them. No picture is in two splits, also seen in another way."""
    grey = {}
    for split in ("train", "val", "test"):
        small = np.stack([in_grey(path) for path in sorted((real_images / split).glob("*/*.jpg"))])
        small = small - small.mean(1, keepdims=True, dtype=np.float32)
        grey[split] = small / np.linalg.norm(small, axis=1, keepdims=True).clip(1e-6)
    later = np.concatenate([grey["val"], grey["test"]])
    assert (grey["train"] @ later.T).max() < 0.995
    assert (grey["val"] @ grey["test"].T).max() < 0.995
    found = prepare(str(real_images))  # which would refuse copies
    assert found.audit["images"] == {"train": 7797, "val": 781, "test": 1293}
    sources = [set(found.audit["balance"][split]["sources"]) for split in ("train", "val", "test")]
    assert len(set.union(*sources)) == sum(map(len, sources))  # validation and test are of sources never trained on
    assert found.audit["origin_null"]["fires"]
    assert not found.audit["null"]["fires"]
    assert "WARNING" in words(found.audit)
    assert found.audit["unreadable"] == found.audit["contradictions"] == []


def in_grey(path) -> np.ndarray:
    """24 x 24 grey values."""
    with Image.open(path) as image:
        image.draft("L", (24, 24))
        return np.asarray(image.convert("L").resize((24, 24))).ravel()


# More images


def test_collect_adds_pictures_and_nothing_else(coloured, tmp_path, monkeypatch, capsys):
    """Against an `npm` that hands out an archive of our own."""
    root, package, fetcher = tmp_path / "data", tmp_path / "package", tmp_path / "bin" / "npm"
    shutil.copytree(coloured, root)
    shutil.copy(EXAMPLES / "coffee.png", save(package / "photo.png"))
    Image.open(EXAMPLES / "coffee.png").resize((300, 200)).save(package / "same-again.jpg", quality=60)
    Image.open(EXAMPLES / "rocket.jpg").crop((0, 0, 427, 100)).save(package / "banner.jpg")
    Image.new("RGB", (400, 400), "white").save(package / "blank.png")
    save(package / "icon.png")
    (package / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    fetcher.parent.mkdir()
    fetcher.write_text(f'#!/bin/sh\n[ "$3" = good@1 ] && tar czf good-1.tgz -C {package} .')
    fetcher.chmod(0o755)
    (tmp_path / "packages.txt").write_text("# a comment\nnpm good@1\nnpm gone@1\n")
    monkeypatch.setenv("PATH", f"{fetcher.parent}:/usr/bin:/bin")
    monkeypatch.setattr(collect, "PACKAGES", tmp_path / "packages.txt")
    assert collect.collect(root) == 1
    assert "npm gone cannot be had" in capsys.readouterr().out
    (added,) = (root / "train" / "human").glob("npm_*")
    with Image.open(added) as image:
        assert (image.format, min(image.size)) == ("JPEG", 240)
    samples = {sample.path.name: sample for sample in read_splits(root)["train"]}
    assert samples[added.name].source == "npm good"
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert collect.collect(root) == 0  # nothing twice
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    with pytest.raises(DataError, match="split into train, val and test"):
        collect.collect(tmp_path)


def test_what_the_gallery_shows_is_never_trained_on(coloured, tmp_path):
    """In training it is left out, made smaller or not; in test it may stand."""
    root = tmp_path / "data"
    shutil.copytree(coloured, root)
    open_image(EXAMPLES / "coffee.png").resize((150, 100)).save(root / "train" / "human" / "cup.jpg")
    shutil.copy(EXAMPLES / "dalle_3.webp", root / "train" / "dalle" / "a.webp")
    shutil.copy(EXAMPLES / "chelsea.png", root / "test" / "human" / "cat.png")
    found = prepare(str(root))
    assert found.audit["images"] == {"train": 36, "val": 12, "test": 13}
    assert "2 images that the page's gallery shows are left out of training." in words(found.audit)
    assert {sample.path.name for sample in found.splits["train"]} & {"cup.jpg", "a.webp"} == set()
