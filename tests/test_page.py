"""The page as a person meets it: Debian's chromium on the real program, with no network behind it."""

import re
from dataclasses import replace

import pytest
from huggingface_hub import constants
from PIL import Image
from playwright.sync_api import expect

from detector.hub import PUBLISHED, PUBLISHED_FILE, load_checkpoint
from detector.verdict import share
from tests.browser import WAIT, answered, axe, give, overflowing
from tests.conftest import EXAMPLES
from tests.running import NO_HUB, running_app
from ui.answer import card
from ui.gallery import PUBLISHED_SAMPLES

CAT = EXAMPLES / "chelsea.png"


def test_a_file_is_answered_as_the_library_answers(page, bundled):
    give(page, CAT)
    (expected,) = bundled.predict([CAT])
    answered(page, expected, "chelsea.png")
    words = {"very likely": "Very likely", "likely": "Probably", "leans": "Too close to call, tilts to"}[expected.band]
    side = "AI-generated" if expected.p_ai >= 0.5 else "human-made"
    expect(page.locator("#answer .who")).to_have_text(f"{words} {side}")
    assert "%" not in page.locator("#answer").inner_text()
    about = page.locator("#answer .about")
    about.locator("summary").click()
    expect(about).to_contain_text(f"{bundled.name}, computed in fp32.")
    expect(about).to_contain_text("The Hub could not be reached")
    counted = bundled.config.metrics["test"]["degraded"]["ai_vs_human"]["answers"]
    for truth, name in (("human", "human-made"), ("ai", "AI-generated")):
        n = round(100 * share(counted, truth, expected.side, expected.band))
        rate = page.locator(f".rate.{truth}")
        expect(rate).to_contain_text(f"Of 100 {name} pictures, {n or 'fewer than 1'} get")
        expect(rate.locator(".dots .on")).to_have_count(n)
        expect(rate.locator(".dots i")).to_have_count(100)


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
    expect(page.locator("#answer .who")).to_have_text("No answer", timeout=WAIT)
    expect(page.locator("#answer .sure")).to_contain_text(words)
    expect(page.locator("#image .tiles")).not_to_be_visible()
    expect(page.locator(".toast-body:visible")).to_have_count(0)
    page.get_by_label("Remove picture").click()
    expect(page.locator("#answer .who")).to_have_text("Who made this picture?")
    expect(page.locator("#answer .sure")).to_have_text("")


def test_nothing_to_judge_is_said_in_the_card(page, bundled, tmp_path):
    Image.new("RGB", (300, 200), (9, 90, 200)).save(tmp_path / "plain.png")
    give(page, tmp_path / "plain.png")
    expect(page.locator("#answer .who")).to_have_text("Nothing to judge", timeout=WAIT)
    (verdict,) = bundled.predict([tmp_path / "plain.png"])
    expect(page.locator("#answer .sure")).to_have_text(f"{verdict.abstained}.", ignore_case=True)
    expect(page.locator("#image .tiles")).not_to_be_visible()


def test_words_of_every_band_and_of_a_model_that_nobody_measured(bundled):
    (verdict,) = bundled.predict([CAT])
    found = {}
    for p_ai in (0.02, 0.25, 0.4, 0.6, 0.75, 0.98):
        for share_of_dalle in (0.9, 0.5, 0.1):
            dalle = p_ai * share_of_dalle
            probs = {"dalle": dalle, "human": 1 - p_ai, "other_ai": p_ai - dalle}
            told = card(replace(verdict, probs=probs), bundled)
            found[p_ai, share_of_dalle] = (told["who"], told["which"])
            assert not re.search(r"\d", told["who"] + told["sure"] + told["which"])
    assert found[0.98, 0.9] == ("Very likely AI-generated", "Of the two kinds of AI, DALL-E is the likelier.")
    assert found[0.75, 0.1] == ("Probably AI-generated", "Of the two kinds of AI, another than DALL-E is the likelier.")
    assert found[0.6, 0.5] == ("Too close to call, tilts to AI-generated", "Which AI is unclear.")
    assert found[0.4, 0.9] == ("Too close to call, tilts to human-made", "")
    assert found[0.25, 0.9] == ("Probably human-made", "")
    assert found[0.02, 0.1] == ("Very likely human-made", "")
    alone = card(replace(verdict, measured=False), bundled)
    assert alone["rates"] == []
    assert "Nobody has measured" in alone["sure"]
    assert "ikely" not in alone["who"]


def test_names_and_titles_are_text_not_markup(browser, tmp_path):
    """Gradio takes < and > out of an upload's name; a folder's names and a model's path reach the page as they are."""
    evil = "<img src=x onerror=alert(1)>"
    (tmp_path / "human").mkdir()
    Image.open(CAT).save(tmp_path / "human" / f"{evil}.png")
    with running_app(tmp_path, NO_HUB, "--examples", str(tmp_path), "--model", "bundled") as address:
        page = browser.new_page()
        page.goto(address)
        page.locator("#examples .picture").click(timeout=WAIT)
        expect(page.locator("#answer .truth")).to_contain_text(evil, timeout=WAIT)
        give(page, {"name": "<b>x</b>.txt", "mimeType": "text/plain", "buffer": b"Dear diary"})
        expect(page.locator("#answer .sure")).to_contain_text("is not an image", timeout=WAIT)
        assert page.locator("#image b:not(.percent), #image img, #answer img").count() == 1  # the invitation's own
        page.close()


def test_every_request_stays_on_this_host(page, url):
    give(page, EXAMPLES / "astronaut.png")
    expect(page.locator("#image .viewer")).to_have_class("viewer answered", timeout=WAIT)
    page.wait_for_timeout(2000)  # whatever the page would ask for afterwards
    assert len(page.asked) > 10
    assert [asked for asked in page.asked if not asked.startswith((url, "data:", "blob:"))] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_narrow_and_wide_light_and_dark(browser, url, scheme):
    """Nothing runs over the edge; axe finds nothing; on a phone the verdict stands first and is scrolled to."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.goto(url)
    expect(page.locator("#examples .picture")).to_have_count(12, timeout=WAIT)
    assert axe(page) == []
    give(page, EXAMPLES / "astronaut.png")
    expect(page.locator("#image .viewer")).to_have_class("viewer answered", timeout=WAIT)
    low = page.locator("#image .controls").bounding_box()
    assert low["y"] + low["height"] <= 900
    page.get_by_text("More ways to look").click()
    for width in (360, 390, 768, 820, 1000, 1440) if scheme == "light" else (390, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function(f"document.documentElement.scrollWidth <= {width}", timeout=WAIT)
        assert overflowing(page) == []
        if width in (390, 820, 1440):
            assert axe(page) == []
        if width < 700:
            heights = [page.locator(name).bounding_box()["y"] for name in
                       ("#answer .verdict", "#image .zone", "#image .tiles", "#image .controls", "#answer .rates",
                        "#examples .pictures")]  # fmt: skip
            assert heights == sorted(heights)
    for i, (width, height) in enumerate([(390, 844), (844, 390), (1000, 700)]):
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        page.locator("#examples .picture").nth(i).click()
        expect(page.locator("#answer .truth")).to_contain_text("Truth:", timeout=WAIT)
        page.wait_for_function(
            """() => { const box = document.querySelector("#answer .verdict").getBoundingClientRect();
            return box.top >= -1 && box.bottom <= innerHeight + 1; }""",
            timeout=WAIT,
        )
    context.close()


def test_targets_are_large_enough_for_a_thumb(page):
    page.set_viewport_size({"width": 390, "height": 844})
    give(page, CAT)
    expect(page.locator("#image .viewer")).to_have_class("viewer answered", timeout=WAIT)
    small = page.evaluate("""() => [...document.querySelectorAll(
        "#image button, #image summary, #image select, #image label, #examples button")].map((e) => [
        e.className || e.textContent, e.getBoundingClientRect()]).filter(([, box]) => box.width && (box.height < 44
        || box.width < 44)).map(([name, box]) => `${name} ${box.width} x ${box.height}`)""")
    assert small == []


def test_with_the_hub_its_model_is_heard_can_answer_and_its_samples_join(
    browser, hub, published_file, tmp_path, monkeypatch
):
    hub.files[PUBLISHED, PUBLISHED_FILE] = published_file
    # In the app's cache before it starts: on a busy machine the download may take longer than a start waits for it.
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub/hub"))
    load_checkpoint("hub")
    for name in PUBLISHED_SAMPLES:
        hub.files[PUBLISHED, name] = (EXAMPLES / "rocket.jpg").read_bytes()
    with running_app(tmp_path, hub.url) as address:
        page = browser.new_page()
        page.goto(address)
        page.locator("#examples .picture").first.wait_for(timeout=WAIT)
        while page.get_by_role("button", name="More pictures").is_visible():
            page.get_by_role("button", name="More pictures").click()
        samples = page.locator("#examples .picture")
        ours = len([path for path in EXAMPLES.iterdir() if path.suffix != ".md"])
        expect(samples).to_have_count(ours + 3)
        give(page, CAT)
        second = page.locator("#answer .second")
        expect(second.locator("summary")).to_contain_text("The published model says: Its numbers say", timeout=WAIT)
        before = page.locator("#image .percent").all_inner_texts()
        second.locator("summary").click()
        second.get_by_role("button", name="Let it answer").click()
        expect(page.locator("#answer .about summary")).to_contain_text("the published model")
        expect(page.locator("#answer .sure")).to_contain_text("Nobody has measured")
        expect(page.locator("#answer .rates")).to_have_text("")
        expect(second.locator("summary")).to_contain_text("This project's model says:")
        assert page.locator("#image .percent").all_inner_texts() != before
        page.close()


def test_page_is_up_while_the_model_loads_and_answers_the_last_image_given(browser, bundled, hub, tmp_path):
    hub.mood = "silent"
    with running_app(tmp_path, hub.url) as address:
        page = browser.new_page()
        page.goto(address)
        give(page, EXAMPLES / "rocket.jpg")
        expect(page.locator("#answer .who")).to_have_text("Warming up", timeout=WAIT)
        expect(page.locator("#answer .sure")).to_have_text("Your picture waits.")
        expect(page.locator("#answer .left")).to_have_text(re.compile(r"About \d+ seconds?\.|A little longer\."))
        assert page.locator("#answer .left").get_attribute("aria-hidden") == "true"  # who listens is told once
        page.get_by_label("Remove picture").click()
        give(page, EXAMPLES / "coffee.png")
        answered(page, *bundled.predict([EXAMPLES / "coffee.png"]), "coffee.png")
        page.close()


def test_a_model_that_does_not_load_is_told_in_the_card(browser, tmp_path):
    (tmp_path / "broken").mkdir()
    with running_app(tmp_path, NO_HUB, "--model", str(tmp_path / "broken")) as address:
        page = browser.new_page()
        page.goto(address)
        expect(page.locator("#answer .sure")).to_contain_text("There is no model:", timeout=WAIT)
        page.close()
