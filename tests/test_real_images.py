"""The bundled model on the real images: the figures of its card and of the README are what comes out."""

import re
from pathlib import Path

import numpy as np
import pytest

import detector
from detector import CLASSES
from detector.checkpoint import BUNDLED
from detector.images import open_image
from detector.verdict import share
from train.data.folders import Sample, read_splits
from train.report.card import figures_table
from ui.gallery import bundled_examples

ROOT = Path(__file__).parents[1]
ROW = re.compile(r"^\| (\S+) \| [^|]+ \| (\d+) \| ([\d.]+)% \| ([\d.]+)% \|$", re.M)  # of a card's table by source
NEAREST = 12  # images that are computed in bf16 too, which processors without it emulate at a tenth of the speed


@pytest.fixture(scope="module")
def samples(real_images) -> list[Sample]:
    """The test split's images of every other source."""
    found = read_splits(real_images)["test"]
    some = sorted({sample.source for sample in found})[::2]
    return [sample for sample in found if sample.source in some]


@pytest.fixture(scope="module")
def predicted(bundled, samples) -> list["detector.Verdict"]:
    """What they get through the front door."""
    return bundled.predict([sample.path for sample in samples])


def test_bf16_gives_the_same_answers(predicted, samples):
    """The bound that any faster way has to keep: probabilities within 0.01, under 0.3 % of the labels another.

    On those images whose label turns most easily, where the probabilities are steepest too.
    """
    both = zip(predicted, samples, strict=True)
    judged = [(exact, sample.path) for exact, sample in both if not exact.abstained]
    some = sorted(judged, key=lambda pair: margin(pair[0]))[:NEAREST]
    found = detector.load("bundled", "bf16").predict([file for _, file in some])
    gaps = [abs(verdict.p_ai - exact.p_ai) for verdict, (exact, _) in zip(found, some, strict=True)]
    flips = sum(verdict.label != exact.label for verdict, (exact, _) in zip(found, some, strict=True))
    assert max(gaps) < 0.01
    assert flips < 0.003 * len(judged)
    assert max(gaps) > 1e-4  # it is another arithmetic, or nothing was compared


def margin(verdict: "detector.Verdict") -> float:
    """How far probabilities are from another label."""
    return min(abs(verdict.p_ai - 0.5), abs(verdict.probs["dalle"] - verdict.probs["other_ai"]))


def test_figures_of_the_card_come_out_again(predicted, samples, bundled):
    """Those of each source by hand, but for the image or two that the page does not judge and training counts. All of
    them together are the figures that stand at the top."""
    card = (BUNDLED / "README.md").read_text("utf-8")
    table = card[card.index("| test images by source |") : card.index("| test images by generator |")]
    rows = {name: (int(n), float(right) / 100, float(ai) / 100) for name, n, right, ai in ROW.findall(table)}
    found = {name: [] for name in rows}
    for sample, verdict in zip(samples, predicted, strict=True):
        if not verdict.abstained:
            found[sample.source].append((verdict.label == CLASSES[sample.target], verdict.side == "ai"))
    compared = {name: answers for name, answers in found.items() if answers}
    assert len(compared) >= 13
    for name, answers in compared.items():
        n, right, ai = rows[name]
        assert n - 1 <= len(answers) <= n
        counted = (sum(rightly for rightly, _ in answers), sum(called for _, called in answers))
        assert counted == pytest.approx((n * right, n * ai), abs=1.5), name

    clean = bundled.config.metrics["test"]["clean"]
    confusion = np.array(clean["confusion"])
    assert sum(n for n, _, _ in rows.values()) == confusion.sum() == clean["n"] == 1293
    assert round(sum(n * right for n, right, _ in rows.values())) == pytest.approx(np.trace(confusion), abs=1)
    called_ai = np.delete(confusion, CLASSES.index("human"), axis=1).sum()
    assert round(sum(n * ai for n, _, ai in rows.values())) == pytest.approx(called_ai, abs=1)
    recalls = np.diag(confusion) / confusion.sum(1)
    assert recalls.mean() == pytest.approx(clean["balanced_accuracy"], abs=1e-4)


def test_readme_and_card_quote_the_figures(bundled):
    """What this lists is what README.md has to say instead."""
    readme = (ROOT / "README.md").read_text("utf-8")
    metrics = bundled.config.metrics
    assert figures_table(metrics) in (BUNDLED / "README.md").read_text("utf-8")
    figures = metrics["test"]["clean"]
    answers, recall = figures["ai_vs_human"]["answers"], figures["recall"]
    alarms, misses = (share(answers, *way) * 100 for way in (("human", "ai"), ("ai", "human")))
    quoted = [
        figures_table({"test": metrics["test"]}),
        f"wrong about one image in {1 / (1 - figures['accuracy']):.1f}",
        f"of 100 human-made test pictures it calls {alarms:.0f} AI-generated",
        f"of 100 AI-made ones {misses:.0f} human-made",
        f"**Test** ({figures['n']:,} images) and validation ({metrics['val']['clean']['n']:,})",
        f"DALL-E {recall['dalle']:.0%}, human {recall['human']:.0%}, other AI {recall['other_ai']:.0%}",
    ]
    text = " ".join(readme.split())
    assert [figure for figure in quoted if " ".join(figure.split()) not in text] == []


def test_readme_quotes_one_of_the_examples(bundled):
    readme = " ".join((ROOT / "README.md").read_text("utf-8").split())
    (name,) = re.findall(r"`(\S+)` of the examples is", readme)
    path = ROOT / "examples" / name
    image = open_image(path)
    x, y = image.width // 16, image.height // 16
    whole, cut = bundled.predict([path, image.crop((x, y, image.width - x, image.height - y))])
    assert f"{whole.p_ai:.0%} AI as it is and {cut.p_ai:.0%} with a sixteenth of each side cut off" in readme


def test_nothing_of_the_gallery_puts_us_to_shame(gallery):
    """Nothing made by a human is "very likely" AI; what an AI made is called so, or the README names it as missed."""
    readme = " ".join((ROOT / "README.md").read_text("utf-8").split())
    examples = bundled_examples()
    called = [(example, gallery[example.path]) for example in examples]
    human = [(example, verdict) for example, verdict in called if example.label == "human"]
    assert [e.path.name for e, v in human if (v.side, v.band) == ("ai", "very likely")] == []
    missed = [e.path.name for e, v in called if e.label != "human" and v.side == "human"]
    assert [name for name in missed if f"`{name}`" not in readme] == []
    wrong = sum(verdict.side == "ai" for _, verdict in human)
    assert f"Of the gallery's {len(human)} human-made pictures it calls {wrong} AI" in readme
    assert f"of the {len(examples) - len(human)} AI-made ones it misses {'' if missed else 'none'}" in readme


def test_no_real_image_is_in_the_project(real_images):
    """The images may be used, not passed on: no file of ours has the bytes of one of them."""
    sizes = {}
    for path in real_images.rglob("*.jpg"):
        sizes.setdefault(path.stat().st_size, []).append(path)
    for ours in [
        path for path in ROOT.rglob("*") if path.suffix in (".jpg", ".png", ".webp") and ".venv" not in path.parts
    ]:
        for theirs in sizes.get(ours.stat().st_size, []):
            assert ours.read_bytes() != theirs.read_bytes(), f"{ours} is {theirs}"
