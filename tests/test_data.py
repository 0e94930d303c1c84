"""Folders, labels, splits and datasets of the Hub, on pictures made here with known answers."""

import csv
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from detector import CLASSES
from detector.transforms import Web, card_transforms, eval_transforms, hard, recompress, train_transforms
from train.data import loader
from train.data.folders import DataError, Sample, class_of, read_splits, split_by_group
from train.data.loader import Batches, Images, image_loader
from train.data.prepare import prepare, read_folder, words
from train.machine import worker_count

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
    for degrade in (hard, lambda image: recompress(image, 70)):
        assert min(degrade(Image.new("RGB", (32, 40_000))).size) >= 1
    for _ in range(8):  # which may scale it up ninefold first
        assert min(Web(1.0)(Image.new("RGB", (32, 17_000))).size) >= 1


def test_draws_depend_on_epoch_and_index_alone(coloured):
    samples = read_splits(coloured)["train"]
    views = [Images(samples, lambda image: Web(1.0)(image).tobytes(), epoch) for epoch in (1, 1, 2)]
    first = [views[0][i][0] for i in range(6)]
    assert [views[1][i][0] for i in (5, 3, 4, 2, 1, 0)] == [first[i] for i in (5, 3, 4, 2, 1, 0)]
    assert [views[2][i][0] for i in range(6)] != first


@pytest.mark.parametrize("few", [0, 1000])
@pytest.mark.parametrize("make", [eval_transforms, train_transforms, card_transforms])
def test_loaded_batches_are_to_the_last_bit_what_the_transform_gives(coloured, monkeypatch, make, few):
    """In processes of their own and in this one, though it is bytes that are loaded."""
    monkeypatch.setattr(loader, "FEW", few)
    images = Images(read_splits(coloured)["train"], make(64), epoch=1)
    order = [[7, 3, 11], [30]]
    for indices, (x, target) in zip(order, image_loader(images, order, torch.device("cpu")), strict=True):
        assert torch.equal(x, torch.stack([images[i][0] for i in indices]))
        assert target.tolist() == [images[i][1] for i in indices]


def test_loaders_fit_into_shared_memory(monkeypatch):
    """A container has 64 MB of it."""
    batch = 64 * 3 * 224 * 224  # bytes
    for free in (0, 10**6, 30 * 10**6, 64 * 2**20, 10**10):
        monkeypatch.setattr("shutil.disk_usage", lambda _, free=free: SimpleNamespace(free=free))
        found = loader.workers(10**4, batch)
        n = found.get("num_workers", 0)
        assert batch * (n * found.get("prefetch_factor", 0) + (n > 0)) <= free
    assert n == worker_count()
    assert loader.workers(10) == {}


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
