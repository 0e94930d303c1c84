"""The tab How it works: its numbers add up, its figures are the model's own, whose pictures are is told on demand."""

import json
from pathlib import Path

import pytest
import torch
from playwright.sync_api import expect

from detector.checkpoint import Config, save_checkpoint
from detector.transforms import eval_transforms
from tests.browser import WAIT, axe, give, overflowing, percent
from tests.client import Page as Client
from tests.client import Refused
from tests.conftest import EXAMPLES
from tests.running import NO_HUB, running_app
from ui.about.figures import folder_of, sections, tables
from ui.about.steps import steps
from ui.gallery import bundled_examples
from ui.shared import NO_QUESTION

CAT = EXAMPLES / "chelsea.png"


def test_cells_and_bias_are_the_score_and_the_scores_are_the_answer(bundled):
    """Against the plain network, its head written out."""
    from detector.images import open_image

    found = steps(bundled, CAT)
    x = eval_transforms()(open_image(CAT))
    with torch.inference_mode():
        features = torch.relu(bundled.model.features(x[None])[0])  # (1024, 7, 7)
        weight, bias = bundled.model.classifier.weight, bundled.model.classifier.bias
        terms = torch.einsum("ck,kij->cij", weight, features) / 49
        logits = weight @ features.mean((1, 2)) + bias
    assert torch.allclose(torch.tensor(found["evidence"]), terms, atol=1e-3)
    assert found["logits"] == pytest.approx(logits.tolist(), abs=1e-3)
    added = [total + start for total, start in zip(found["sums"], found["bias"], strict=True)]
    assert added == pytest.approx(found["logits"], abs=1e-4)
    (verdict,) = bundled.predict([CAT])
    shares = torch.softmax(torch.tensor(found["logits"]) / found["temperature"], 0)
    assert shares.tolist() == pytest.approx(list(verdict.probs.values()), abs=1e-4)
    assert found["probs"] == pytest.approx(list(verdict.probs.values()), abs=1e-6)


def test_a_picture_with_nothing_to_judge_says_so(bundled, tmp_path):
    from PIL import Image

    Image.new("RGB", (100, 100), "red").save(tmp_path / "plain.png")
    assert "nothing to judge" in steps(bundled, tmp_path / "plain.png")["nothing"]


def test_figures_are_those_of_the_models_own_files(bundled):
    found = {section["title"]: section for section in sections(bundled)}
    metrics = bundled.config.metrics
    rows = found["How well"]["tables"][0]["rows"]
    assert len(rows) == sum(map(len, metrics.values()))
    clean = metrics["test"]["clean"]
    assert rows[0][2:5] == ["1,293", f"{clean['balanced_accuracy'] * 100:.0f} %",
                            f"{clean['ai_vs_human']['auroc'] * 100:.0f} %"]  # fmt: skip
    confusion = found["What it takes for what"]["tables"][0]["rows"]
    assert [[int(cell) for cell in row[1:4]] for row in confusion] == clean["confusion"]
    by = found["Source by source"]["tables"]
    assert sum(int(row[2]) for row in by[0]["rows"]) == clean["n"]
    missed = [row[3] for row in found["97 generators: which are caught"]["tables"][0]["rows"]]
    n = missed.count("Human")
    assert len(missed) == 97
    assert missed[:n] == ["Human"] * n
    pictures = found["What it learned from, and what was audited"]["pictures"]
    assert [one["name"] for one in pictures] == ["reliability.png"]
    assert any("no curve" in text for text in found["What it learned from, and what was audited"]["texts"])


def test_a_model_that_nobody_measured_has_no_figures(published, tmp_path):
    import detector

    save_checkpoint(tmp_path / "mine", published, Config(temperature=2.0))
    (only,) = sections(detector.load(str(tmp_path / "mine")))
    assert any("no figures" in text for text in only["texts"])
    assert only["tables"] == []
    assert folder_of(str(tmp_path / "mine")) == tmp_path / "mine"
    assert folder_of("hub VilaVision/AIgeneratedimagedetection@1234567") is None


def test_tables_are_read_as_text():
    text = "# x\n\n| a | b |\n|---|:-:|\n| <b>1</b> | 2 |\n| 3 | |\n\ntext | no table\n\n| lone |\n"
    assert tables(text) == [{"caption": "", "head": ["a", "b"], "rows": [["<b>1</b>", "2"], ["3", ""]]}]


@pytest.mark.parametrize("question", [
    {}, [], {"example": -1}, {"example": 999}, {"example": "0"}, {"path": "/etc/passwd"}, {"path": None},
])  # fmt: skip
def test_what_is_no_picture_of_the_page_is_refused(url, question):
    client = Client(int(url.rpartition(":")[2]))
    with pytest.raises(Refused) as refused:
        client.request("POST", "/gradio_api/run/about_steps", json.dumps({"data": [question]}).encode())
    assert NO_QUESTION in str(refused.value) or "Send an uploaded file" in str(refused.value)


def test_by_keyboard_and_by_mouse_wide_and_narrow(browser, url, bundled):
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark")
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(url)
    expect(page.locator("#examples .picture")).to_have_count(12, timeout=WAIT)
    tab = page.get_by_role("tab", name="How it works")
    tab.focus()
    page.keyboard.press("Enter")
    about = page.locator("#about")
    expect(about.locator(".whose")).to_contain_text("a picture of the gallery", timeout=WAIT)
    expect(about.locator(".sections details")).to_have_count(len(sections(bundled)), timeout=WAIT)
    titles = [example.title for example in bundled_examples()]
    assert [title for title in titles if title in page.content()] == []  # whose they are is told on demand
    page.get_by_role("tab", name="Check").click()
    give(page, CAT)
    expect(page.locator("#image .viewer")).to_have_class("viewer answered", timeout=WAIT)
    tab.click()
    expect(about.locator(".whose")).to_contain_text("the last picture of Check", timeout=WAIT)
    (verdict,) = bundled.predict([CAT])
    shares = about.locator(".steps .table td:last-child")
    expect(shares).to_have_text([f"{percent(p)} " for p in verdict.probs.values()])
    for summary in about.locator(".sections summary").all():
        summary.press("Enter")
    page.get_by_role("button", name="For teachers").click()
    expect(page.locator("#lessons")).to_contain_text("Where does it look?")
    about.get_by_role("button", name="Show them").click()
    expect(about.locator(".fooled img")).to_have_count(8, timeout=WAIT)
    worst = max((e for e in bundled_examples() if e.label == "human"), key=lambda e: bundled.predict([e.path])[0].p_ai)
    expect(about.locator(".fooled li").first).to_contain_text(worst.told)
    for width in (390, 1440):
        page.set_viewport_size({"width": width, "height": 844})
        page.wait_for_function(f"document.documentElement.scrollWidth <= {width}", timeout=WAIT)
        assert overflowing(page, ".box") == []
        assert axe(page) == []
    assert [one for one in asked if not one.startswith((url, "data:", "blob:"))] == []
    context.close()


def test_a_card_with_markup_is_text(browser, published, bundled, tmp_path):
    evil = "<img src=x onerror=alert(1)>"
    folder = tmp_path / "mine"
    config = Config(temperature=1.0, metrics=bundled.config.metrics, recipe={"init": evil},
                    data={"name": evil, "images": {"train": 1, "val": 1, "test": 1}})  # fmt: skip
    save_checkpoint(folder, published, config)
    card = f"| test images by source | n |\n|---|---|\n| {evil} | 1 |\n\n## Audit of the data\n\n- {evil}\n"
    Path(folder / "README.md").write_text(card, "utf-8")
    with running_app(tmp_path, NO_HUB, "--model", str(folder), "--examples", str(one_example(tmp_path))) as address:
        page = browser.new_page()
        page.goto(address)
        page.get_by_role("tab", name="How it works").click()
        expect(page.locator("#about .sections")).to_contain_text(evil, timeout=WAIT)
        assert page.locator("#about .sections img[src=x]").count() == 0
        page.close()


def one_example(folder: Path) -> Path:
    (folder / "gallery" / "human").mkdir(parents=True)
    (folder / "gallery" / "human" / "cat.png").write_bytes(CAT.read_bytes())
    return folder / "gallery"
