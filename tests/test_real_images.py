"""The bundled model on the real images: the figures of its card and of the README are what comes out."""

import re
from pathlib import Path

import pytest

import detector
from detector import CLASSES
from detector.files import find_images

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def predicted(bundled, real_images) -> list[tuple[str, str, float]]:
    """(true class, predicted class, P(AI)) of every image of the test split, through the front door."""
    return [(name, verdict.label, verdict.p_ai) for name, verdict in answers(bundled, real_images)]


def answers(model: "detector.Detector", real_images: Path) -> list[tuple[str, "detector.Verdict"]]:
    files = [(name, file) for name in CLASSES for file in find_images(real_images / "test" / name)]
    return list(zip([name for name, _ in files], model.predict([file for _, file in files]), strict=True))


def test_bf16_gives_the_same_answers(bundled, predicted, real_images):
    """The bound that any faster way has to keep: probabilities within 0.01, under 0.3 % of the labels another."""
    found = answers(detector.load("bundled", "bf16"), real_images)
    p_ai = [abs(verdict.p_ai - p) for (_, verdict), (*_, p) in zip(found, predicted, strict=True)]
    flips = sum(verdict.label != label for (_, verdict), (_, label, _) in zip(found, predicted, strict=True))
    assert max(p_ai) < 0.01
    assert flips < 0.003 * len(found)
    assert max(p_ai) > 1e-4  # it is another arithmetic, or nothing was compared


def test_figures_of_the_card_come_out_again(predicted, bundled):
    recalls = {
        name: sum(label == name for true, label, _ in predicted if true == name)
        / sum(true == name for true, *_ in predicted)
        for name in CLASSES
    }
    human = [p for true, _, p in predicted if true == "human"]
    ai = [p for true, _, p in predicted if true != "human"]
    auroc = sum((a > h) + (a == h) / 2 for a in ai for h in human) / (len(ai) * len(human))
    card = bundled.config.metrics["test"]["clean"]
    assert len(predicted) == card["n"] == 644
    assert sum(recalls.values()) / 3 == pytest.approx(
        card["balanced_accuracy"], abs=0.01
    )  # trained in bf16, run in fp32
    assert auroc == pytest.approx(card["ai_vs_human"]["auroc"], abs=0.01)


def test_readme_quotes_the_card(bundled):
    readme = (ROOT / "README.md").read_text("utf-8")
    for split in ("val", "test"):
        for variant, figures in bundled.config.metrics[split].items():
            row = re.search(rf"^\| {split} \| {variant} \|(.*)\|$", readme, re.M)
            assert row, f"the README has no row for {split}, {variant}"
            quoted = [cell.strip() for cell in row.group(1).split("|")]
            ai = figures["ai_vs_human"]
            assert quoted == [
                f"{figures['balanced_accuracy']:.3f}",
                f"{ai['auroc']:.3f}",
                f"{ai['fpr_at_band']['very_likely']:.1%}",
                f"{figures['ece']:.3f}",
            ]


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
