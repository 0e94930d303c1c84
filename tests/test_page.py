"""The page as a person meets it: Debian's chromium on the real program, with no network behind it."""

import re
from concurrent.futures import Future
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from detector.hub import PUBLISHED, PUBLISHED_FILE
from tests.browser import WAIT
from tests.conftest import EXAMPLES
from tests.running import NO_HUB, running_app
from ui.answer import caution, model_html
from ui.gallery import PUBLISHED_SAMPLES


def give(page: Page, path: Path | dict) -> None:
    page.set_input_files("#image input[type=file]", path)


def map_source(page: Page) -> str:
    return page.locator("#map img").get_attribute("src")


def test_a_file_is_answered_as_the_library_answers(page, bundled):
    give(page, EXAMPLES / "chelsea.png")
    (expected,) = bundled.predict([EXAMPLES / "chelsea.png"])
    expect(page.locator("#answer .sentence")).to_have_text(expected.sentence, timeout=WAIT)
    expect(page.locator("#answer .scale")).to_contain_text(f"{expected.p_ai:.0%}")
    for name, p in zip(("DALL-E", "Human", "Other AI"), expected.probs.values(), strict=True):
        expect(page.locator("#probabilities")).to_contain_text(re.compile(rf"{name}\s*{p * 100:.0f}%"))
    expect(page.locator("#model-line")).to_contain_text(bundled.name)
    expect(page.locator("#model-line")).to_contain_text("The Hub could not be reached")
    assert caution(expected, bundled.config) in page.locator("#answer .caution").inner_text()


def test_the_map_follows_class_kind_and_opacity(page):
    give(page, EXAMPLES / "coffee.png")
    expect(page.locator("#map img")).to_be_visible(timeout=WAIT)
    for locator, legend in (
        (page.locator("#kind").get_by_label("Signed evidence"), "Red pushed towards"),
        (page.locator("#class").get_by_label("DALL-E"), "DALL-E"),
        (page.locator("#class").get_by_label("Human"), "Human"),
        (page.locator("#class").get_by_label("Other AI"), "Other AI"),
        (page.locator("#kind").get_by_label("Grad-CAM"), "brighter"),
    ):
        if not locator.is_checked():  # the class that was answered is
            before = map_source(page)
            locator.check()
            expect(page.locator("#legend")).to_contain_text(legend, timeout=WAIT)
            expect(page.locator("#map img")).not_to_have_attribute("src", before, timeout=WAIT)
    before = map_source(page)
    page.locator("#opacity input[type=number]").fill("0.2")
    page.locator("#opacity input[type=number]").press("Enter")
    expect(page.locator("#map img")).not_to_have_attribute("src", before, timeout=WAIT)
    assert "Other AI" in page.locator("#map img").get_attribute("alt")


def test_an_example_answers_at_a_click_and_by_keyboard(page, bundled):
    page.locator(
        "#examples button.thumbnail-item, #examples button.gallery-item, #examples .grid-container button"
    ).first.click()
    (first,) = bundled.predict([EXAMPLES / "starry_night.jpg"])
    expect(page.locator("#answer .sentence")).to_have_text(first.sentence, timeout=WAIT)
    button = page.locator("#examples .grid-container button").nth(2)
    button.focus()
    button.press("Enter")
    (second,) = bundled.predict([EXAMPLES / "coffee.png"])
    expect(page.locator("#answer .sentence")).to_have_text(second.sentence, timeout=WAIT)


@pytest.mark.parametrize(("name", "data", "words"), [
    ("broken.jpg", (EXAMPLES / "rocket.jpg").read_bytes()[:5000], "broken.jpg is damaged or incomplete"),
    ("letter.png", b"Dear diary,\n" * 99, "letter.png is not an image"),
    ("large.bmp", b"BM" + bytes(21 * 2**20), "has 21 MB and the limit is 20 MB"),
    ("huge.jpg", (EXAMPLES / "rocket.jpg").read_bytes() + bytes(65 * 2**20), "has 65 MB and the limit is 64 MB"),
    ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><circle r='9'/></svg>", "is an SVG drawing"),
], ids=["truncated", "text", "large", "huge", "svg"])  # fmt: skip
def test_broken_file_is_one_sentence_where_the_answer_would_be(page, tmp_path, name, data, words):
    (tmp_path / name).write_bytes(data)
    give(page, tmp_path / name)
    error = page.locator("#answer .error")
    expect(error).to_contain_text(words, timeout=WAIT)
    expect(page.locator("#map")).to_have_count(0)
    expect(page.locator(".toast-body")).to_have_count(0)
    page.get_by_label("Remove image").click()
    expect(page.locator("#answer")).to_contain_text("Drop, paste or pick", timeout=WAIT)


def test_a_name_is_text_not_markup():
    """Gradio takes < and > out of an upload's name; a model's name or an error reaches the page as it is."""
    failed = Future()
    failed.set_exception(ValueError("<img src=x onerror=alert(1)>"))
    assert "<img" not in model_html(failed)


def test_every_request_stays_on_this_host(page, url):
    give(page, EXAMPLES / "astronaut.png")
    expect(page.locator("#map img")).to_be_visible(timeout=WAIT)
    page.locator("#class").get_by_label("Other AI").check()
    page.wait_for_timeout(2000)  # whatever the page would ask for afterwards
    assert len(page.asked) > 10
    assert [asked for asked in page.asked if not asked.startswith((url, "data:", "blob:"))] == []


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (360, "light"), (360, "dark")])
def test_narrow_and_wide_light_and_dark(browser, url, width, scheme):
    """Nothing runs over the edge, the answer stands before the examples on a phone, and text can be read."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.goto(url)
    expect(page.locator("#examples img")).to_have_count(6, timeout=WAIT)
    give(page, EXAMPLES / "astronaut.png")
    expect(page.locator("#map img")).to_be_visible(timeout=WAIT)
    # Waited for, since the spinner of an answer that is still coming may stand over the edge for a moment.
    page.wait_for_function(f"document.documentElement.scrollWidth <= {width}", timeout=WAIT)
    if width < 700:
        assert page.locator("#answer").bounding_box()["y"] < page.locator("#examples").bounding_box()["y"]
    text, back = page.evaluate(
        """() => [getComputedStyle(document.querySelector('#answer .sentence')).color,
        getComputedStyle(document.body).backgroundColor].map(c => c.match(/[\\d.]+/g).slice(0, 3).map(Number))"""
    )
    assert abs(sum(text) - sum(back)) > 450  # of 765
    context.close()


def test_with_the_hub_its_model_is_heard_and_its_samples_join(browser, hub, published_file, tmp_path):
    hub.files[PUBLISHED, PUBLISHED_FILE] = published_file
    for name in PUBLISHED_SAMPLES:
        hub.files[PUBLISHED, name] = (EXAMPLES / "rocket.jpg").read_bytes()
    with running_app(tmp_path, hub.url) as address:
        page = browser.new_page()
        page.goto(address)
        expect(page.locator("#model-line")).to_contain_text("Model: bundled", timeout=WAIT)
        expect(page.locator("#examples img")).to_have_count(9, timeout=WAIT)
        page.wait_for_function("[...document.querySelectorAll('#examples img')].every(i => i.naturalWidth > 0)")
        page.locator("#examples .grid-container button").last.click()
        expect(page.locator("#answer .sentence")).to_be_visible(timeout=WAIT)
        expect(page.locator("#answer .second")).to_contain_text(f"Second opinion, hub {PUBLISHED}@")
        expect(page.locator("#answer .second")).to_contain_text("nobody has measured it")
        page.close()


def test_page_is_up_while_the_model_loads_and_answers_the_last_image_given(browser, bundled, hub, tmp_path):
    hub.mood = "silent"
    with running_app(tmp_path, hub.url) as address:
        page = browser.new_page()
        page.goto(address)
        expect(page.locator("#model-line")).to_contain_text("still loading", timeout=WAIT)
        give(page, EXAMPLES / "rocket.jpg")
        page.wait_for_timeout(500)
        page.get_by_label("Remove image").click()
        give(page, EXAMPLES / "coffee.png")
        (expected,) = bundled.predict([EXAMPLES / "coffee.png"])
        expect(page.locator("#answer .sentence")).to_have_text(expected.sentence, timeout=WAIT)
        expect(page.locator("#model-line")).to_contain_text(re.compile("could not be reached|took longer"))
        page.close()


def test_a_gallery_of_any_folder(browser, real_images, tmp_path):
    with running_app(tmp_path, NO_HUB, "--examples", str(real_images / "val"), "--model", "bundled") as address:
        page = browser.new_page()
        page.goto(address)
        expect(page.locator("#examples img")).to_have_count(781, timeout=WAIT)
        page.locator("#examples .grid-container button").nth(2).click()
        expect(page.locator("#answer .sentence")).to_be_visible(timeout=WAIT)
        page.close()
