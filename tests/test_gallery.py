"""The gallery: guess first, then the truth; by mouse, keyboard and on a phone; of any folder."""

import itertools
import random

import pytest
from playwright.sync_api import expect

from tests.browser import WAIT, answered
from tests.conftest import EXAMPLES
from tests.running import NO_HUB, running_app
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
    expect(page.locator("#answer .truth")).to_contain_text(f"Truth: {order[3].truth['text']}.")
    (verdict,) = bundled.predict([order[3].path])
    right = "right" if verdict.side == order[3].truth["side"] else "wrong"
    expect(page.locator("#answer .truth")).to_contain_text(f"The model is {right} here.")
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
        expect(page.locator("#answer .truth")).to_contain_text(examples[2].truth["text"])
        page.get_by_role("button", name="More pictures").click()
        expect(pictures).to_have_count(24)
        page.close()


def test_examples_lie_in_the_project():
    assert {example.path.parent for example in bundled_examples()} == {EXAMPLES}
