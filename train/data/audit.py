"""What can make a detector look better than it is: shortcuts past the pixels, leaks between splits, imbalance."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from detector import CLASSES
from train.data.folders import SEED, SPLITS, Sample
from train.data.scan import Facts

NULL_LIMIT = 0.85  # balanced accuracy from which the data can be solved without looking
NEAR_BITS = 10  # of 64: perceptual hashes this close are looked at again
ROWS = 256  # hashes that are compared with all others at a time
NEAR_GREY = 4.0  # of 255: mean difference of two thumbnails that show the same picture


def zero_pixel_null(rows: Sequence[Sequence], targets: Sequence[int], groups: Sequence[str]) -> dict:
    """How well the class is told from facts about the files alone: `rows` of numbers and words, one for each image.

    Balanced accuracy of gradient-boosted trees, cross-validated so that no group is on both sides. Chance is one third.
    A detector that does no better than this may have learned how the data was collected.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier  # takes two seconds to import
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

    columns = [_as_numbers(column) for column in zip(*rows, strict=True)]
    x, y = np.column_stack(columns), np.asarray(targets)
    folds = min(5, *(len({g for g, t in zip(groups, targets, strict=True) if t == target}) for target in set(targets)))
    if folds < 2:
        return {"balanced_accuracy": None, "fires": False, "reason": "too few groups to cross-validate"}
    # scikit-learn's early stopping makes the trees slower here, and so does a second thread: by 1.4 of 9,871 rows, by
    # 2.2 of 600 (2 cores).
    trees = HistGradientBoostingClassifier(
        max_iter=60, class_weight="balanced", random_state=SEED, early_stopping=False
    )
    split = StratifiedGroupKFold(folds, shuffle=True, random_state=SEED)
    with threadpool_limits(1):
        predicted = cross_val_predict(trees, x, y, groups=np.asarray(groups), cv=split)
    score = float(balanced_accuracy_score(y, predicted))
    return {"balanced_accuracy": round(score, 4), "fires": score > NULL_LIMIT}


def _as_numbers(column: Sequence) -> np.ndarray:
    """Numbers as they are; words as the rank of how common they are, which trees can split on."""
    try:
        return np.array([float(value) for value in column])
    except ValueError:
        order = {word: i for i, (word, _) in enumerate(Counter(column).most_common())}
        return np.array([order[word] for word in column], float)


def file_rows(facts: Sequence[Facts]) -> list[tuple]:
    """Size, format, width, height and JPEG quality of each file."""
    return [(f.size, f.format, f.width, f.height, f.quality) for f in facts]


def near_duplicates(facts: Sequence[Facts]) -> list[tuple[int, int]]:
    """Pairs (i, j), i < j, that show the same picture: perceptual hashes within NEAR_BITS and thumbnails within
    NEAR_GREY. Mirrored and cropped copies are not found."""
    return [(i, j) for i, j in _same(facts, facts) if i < j]


def is_copy(mine: Facts, others: Sequence[Facts]) -> bool:
    """Whether one of `others` shows the same picture, in the sense of `near_duplicates`."""
    return bool(copies_of([mine], others))


def copies_of(originals: Sequence[Facts], facts: Sequence[Facts]) -> set[int]:
    """Indices of `facts` that show the same picture as one of `originals`, in the sense of `near_duplicates`."""
    return {j for _, j in _same(originals, facts)}


def _same(ours: Sequence[Facts], theirs: Sequence[Facts]) -> Iterator[tuple[int, int]]:
    """Pairs (index in ours, index in theirs), by rows. Two hashes of signs s, t differ in (64 - s.t) / 2 bits, so that
    one product of matrices compares them all."""
    if not (ours and theirs):
        return
    (our_signs, our_thumbnails), (their_signs, their_thumbnails) = _fingerprints(ours), _fingerprints(theirs)
    for start in range(0, len(ours), ROWS):
        agree = our_signs[start : start + ROWS] @ their_signs.T
        i, j = np.nonzero(agree >= 64 - 2 * NEAR_BITS)
        i += start
        for k in range(0, len(i), ROWS):
            some = slice(k, k + ROWS)
            apart = np.abs(our_thumbnails[i[some]].astype(np.int16) - their_thumbnails[j[some]]).mean(1)
            near = apart <= NEAR_GREY
            yield from zip(i[some][near].tolist(), j[some][near].tolist(), strict=True)


def _fingerprints(facts: Sequence[Facts]) -> tuple[np.ndarray, np.ndarray]:
    """The hashes' bits as signs (N, 64), exact in float32, and thumbnails (N, pixels)."""
    hashes = np.array([f.phash for f in facts], np.uint64)
    bits = np.unpackbits(hashes.view(np.uint8).reshape(-1, 8), axis=1)
    return bits * np.float32(2) - 1, np.stack([np.frombuffer(f.thumbnail, np.uint8) for f in facts])


def joined_groups(samples: Sequence[Sample], pairs: Sequence[tuple[int, int]]) -> list[str]:
    """A group name for each sample: its own, one shared with every near-duplicate, or one that it has to itself."""
    parent = list(range(len(samples)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[str, int] = {}
    same_group = [(first.setdefault(sample.group, i), i) for i, sample in enumerate(samples) if sample.group]
    for i, j in [*same_group, *pairs]:
        parent[root(i)] = root(j)
    return [str(root(i)) for i in range(len(samples))]


def leaks(split_of: Sequence[str], samples: Sequence[Sample], pairs: Sequence[tuple[int, int]]) -> dict[int, str]:
    """Index -> a line, for every image whose group or picture is in a later split too (train before val before test):
    leave these out and nothing leaks."""
    rank = [SPLITS.index(split) for split in split_of]
    latest: dict[str, int] = {}
    for sample, own in zip(samples, rank, strict=True):
        if sample.group:
            latest[sample.group] = max(own, latest.get(sample.group, own))
    found = {
        i: f"{sample.path} ({split_of[i]}): its group {sample.group} is in {SPLITS[latest[sample.group]]} too"
        for i, sample in enumerate(samples)
        if sample.group and rank[i] < latest[sample.group]
    }
    for pair in pairs:
        early, late = sorted(pair, key=rank.__getitem__)
        if rank[early] < rank[late]:
            line = f"{samples[early].path} ({split_of[early]}) shows the same picture as {samples[late].path}"
            found[early] = f"{line} ({split_of[late]})"
    return found


def contradictions(samples: Sequence[Sample], pairs: Sequence[tuple[int, int]]) -> list[str]:
    """A line for every picture that is in two classes."""
    return [
        f"{samples[i].path} ({CLASSES[samples[i].target]}) shows the same picture as {samples[j].path} "
        f"({CLASSES[samples[j].target]})"
        for i, j in pairs
        if samples[i].target != samples[j].target
    ]


def balance(splits: dict[str, list[Sample]]) -> dict:
    """How many images there are of each class, source and generator in each split."""
    return {
        split: {
            "classes": {name: sum(sample.target == i for sample in samples) for i, name in enumerate(CLASSES)},
            "sources": dict(Counter(sample.source for sample in samples if sample.source)),
            "generators": dict(Counter(sample.generator for sample in samples if sample.generator)),
        }
        for split, samples in splits.items()
    }
