"""The bundled model on the real images: the figures of its card and of the README are what comes out."""

import re
from pathlib import Path

import pytest

import detector
from detector import CLASSES
from detector.checkpoint import BUNDLED
from detector.files import find_images
from detector.images import open_image
from detector.verdict import band, share, side
from train.report.card import figures_table
from ui.gallery import bundled_examples

ROOT = Path(__file__).parents[1]
NEAREST = 30  # images that are computed in bf16 too, which processors without it emulate at a tenth of the speed


@pytest.fixture(scope="module")
def predicted(bundled, real_images) -> list[tuple[str, "detector.Verdict"]]:
    """(true class, verdict) of every image of the test split, through the front door."""
    files = files_of_test(real_images)
    return list(zip([name for name, _ in files], bundled.predict([file for _, file in files]), strict=True))


def files_of_test(real_images: Path) -> list[tuple[str, Path]]:
    return [(name, file) for name in CLASSES for file in find_images(real_images / "test" / name)]


def test_bf16_gives_the_same_answers(predicted, real_images):
    """The bound that any faster way has to keep: probabilities within 0.01, under 0.3 % of the labels another.

    On those images whose label turns most easily, where the probabilities are steepest too.
    """
    both = [(exact, file) for (_, exact), (_, file) in zip(predicted, files_of_test(real_images), strict=True)]
    judged = [(exact, file) for exact, file in both if not exact.abstained]
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


def test_figures_of_the_card_come_out_again(predicted, bundled):
    """By hand, but for the two or so images that the page does not judge and training counts."""
    judged = [(name, verdict) for name, verdict in predicted if not verdict.abstained]
    recalls = [
        sum(verdict.label == name for true, verdict in judged if true == name) / sum(true == name for true, _ in judged)
        for name in CLASSES
    ]
    human = [verdict.p_ai for true, verdict in judged if true == "human"]
    ai = [verdict.p_ai for true, verdict in judged if true != "human"]
    auroc = sum((a > h) + (a == h) / 2 for a in ai for h in human) / (len(ai) * len(human))
    card = bundled.config.metrics["test"]["clean"]
    assert len(predicted) == card["n"] == 1293
    assert len(judged) >= 1290
    assert sum(recalls) / 3 == pytest.approx(card["balanced_accuracy"], abs=0.005)
    assert auroc == pytest.approx(card["ai_vs_human"]["auroc"], abs=0.005)
    counted = card["ai_vs_human"]["answers"]
    for truth, true in (("human", human), ("ai", ai)):
        for answered, bands in counted[truth].items():
            for word, n in bands.items():
                mine = sum(side(p) == answered and band(p) == word for p in true)
                assert mine == pytest.approx(n, abs=3), (truth, answered, word)


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
