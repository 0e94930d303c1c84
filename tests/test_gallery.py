"""The gallery: guess first, then the truth; by mouse, keyboard and on a phone; of any folder."""

import itertools
import random

import pytest
from playwright.sync_api import expect

from detector import CLASSES
from detector.verdict import Verdict
from tests.browser import WAIT, answered, give
from tests.conftest import EXAMPLES
from tests.running import NO_HUB, running_app
from ui.answer import right_or_wrong
from ui.gallery import bundled_examples, folder_examples, shuffled


@pytest.fixture(scope="module")
def order():
    return shuffled(bundled_examples())


def test_nothing_tells_the_truth_before_the_answer_does(page, bundled, order):
    names = {word.lower() for example in order for word in (example.path.name, example.path.stem, example.title)}
    said = page.locator("#examples").evaluate("(e) => e.outerHTML").lower()
    assert not [name for name in names if name in said]
    assert 'class="picture"' in said
    picture = page.locator("#examples .picture").nth(3)
    picture.click()
    answered(page, *bundled.predict([order[3].path]), r"Picture \d+")
    expect(page.locator("#answer .truth")).to_contain_text(f"Truth: {order[3].told}. The model")
    expect(picture).to_have_class(f"picture {order[3].label}")
    assert order[3].title in picture.locator("img").get_attribute("alt")
    assert order[4].title not in page.locator("#examples").evaluate("(e) => e.outerHTML")


def test_twelve_at_a_time_and_one_tab_stop(page, order):
    pictures = page.locator("#examples .picture")
    expect(pictures).to_have_count(12)
    stops = "document.querySelectorAll('#examples .picture[tabindex=\"0\"]').length"
    assert page.evaluate(stops) == 1
    pictures.first.focus()
    for key, index in (("ArrowRight", 1), ("End", 11), ("ArrowLeft", 10), ("Home", 0), ("ArrowLeft", 0)):
        page.keyboard.press(key)
        expect(pictures.nth(index)).to_be_focused()
        assert page.evaluate(stops) == 1
    page.keyboard.press("Enter")
    expect(page.locator("#answer .truth")).to_contain_text("Truth:", timeout=WAIT)
    expect(pictures.first).to_be_focused()  # so that the arrows go on
    page.get_by_role("button", name="More pictures").click()
    expect(pictures).to_have_count(min(24, len(order)))
    expect(pictures.nth(12)).to_be_focused()
    page.wait_for_function("[...document.querySelectorAll('#examples img')].slice(12).some((i) => i.naturalWidth > 0)")


def test_order_is_the_same_for_everybody_and_tells_nothing(order):
    random.seed(1)
    assert shuffled(bundled_examples()) == order
    labels = [example.label == "human" for example in order]
    changes = sum(a != b for a, b in itertools.pairwise(labels))
    assert changes > len(labels) / 4


def test_a_gallery_of_any_folder(browser, bundled, real_images, tmp_path):
    with running_app(tmp_path, NO_HUB, "--examples", str(real_images / "val"), "--model", "bundled",
                     "--precision", "fp32") as address:  # fmt: skip
        page = browser.new_page()
        page.goto(address)
        pictures = page.locator("#examples .picture")
        expect(pictures).to_have_count(12, timeout=WAIT)
        examples = shuffled(folder_examples(real_images / "val"))
        pictures.nth(2).click()
        answered(page, *bundled.predict([examples[2].path]), r"Picture \d+")
        expect(page.locator("#answer .truth")).to_contain_text(examples[2].told)
        page.get_by_role("button", name="More pictures").click()
        expect(pictures).to_have_count(24)
        page.close()


@pytest.mark.parametrize(("label", "probs", "words"), [
    ("human", (0.1, 0.8, 0.1), "right here"),
    ("human", (0.1, 0.6, 0.3), "could not tell, and leaned the right way"),
    ("dalle", (0.1, 0.6, 0.3), "could not tell, and leaned the wrong way"),
    ("dalle", (0.1, 0.8, 0.1), "wrong here"),
    ("dalle", (0.85, 0.1, 0.05), "right here"),
    ("dalle", (0.05, 0.1, 0.85), "right that an AI made it, wrong about which"),
    ("other_ai", (0.45, 0.1, 0.45), "right that an AI made it, not sure which"),
    ("human", (0.45, 0.1, 0.45), "wrong here"),
])  # fmt: skip
def test_whether_the_model_was_right(label, probs, words):
    verdict = Verdict(dict(zip(CLASSES, probs, strict=True)), (), None, "bundled")
    assert words in right_or_wrong(verdict, verdict.band, label)


def test_a_gallery_without_pictures_leaves_no_heading(browser, tmp_path):
    (tmp_path / "human").mkdir()
    (tmp_path / "human" / "broken.jpg").write_bytes(b"no picture")
    with running_app(tmp_path, NO_HUB, "--examples", str(tmp_path), "--model", "bundled") as address:
        page = browser.new_page()
        page.goto(address)
        expect(page.locator("#title p")).to_contain_text("in about", timeout=WAIT)
        expect(page.locator("#examples h2")).not_to_be_visible()
        page.close()


def test_the_mark_of_the_last_choice_goes_with_another_picture(page, bundled):
    picture = page.locator("#examples .picture").nth(2)
    picture.click()
    expect(picture).to_have_attribute("aria-current", "true")
    give(page, EXAMPLES / "chelsea.png")
    answered(page, *bundled.predict([EXAMPLES / "chelsea.png"]), "chelsea.png")
    expect(picture).to_have_attribute("aria-current", "false")
