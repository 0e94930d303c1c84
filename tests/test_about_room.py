"""The tab "How it works" as a person meets it: nothing is told too early, what fails says so, all is text."""

import json

import numpy as np
from PIL import Image
from playwright.sync_api import expect

from detector.checkpoint import BUNDLED, Config, save_checkpoint
from tests.browser import WAIT, answered, axe, give, overflowing, percent, visitor
from tests.client import Page as Client
from tests.conftest import EXAMPLES
from tests.running import NO_HUB, running_app
from ui.about.figures import UNMEASURED
from ui.gallery import bundled_examples, shuffled
from ui.shared import GONE

CAT, COFFEE = EXAMPLES / "chelsea.png", EXAMPLES / "coffee.png"
EVIL = "<img src=x onerror=alert(1)>"


def enter(page) -> None:
    """Into the room by keyboard, until all is there that it shows by itself."""
    page.get_by_role("tab", name="How it works").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#about .name")).to_contain_text("It answers:", timeout=WAIT)
    expect(page.locator("#about .steps")).to_be_visible(timeout=WAIT)


def unfold(page) -> None:
    page.evaluate("for (const fold of document.querySelectorAll('#about details')) fold.open = true")


def fits(page) -> None:
    for width in (390, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function(f"document.documentElement.scrollWidth <= {width}", timeout=WAIT)
        assert overflowing(page) == []


def shows(page, verdict) -> None:
    expect(page.locator("#about .percent")).to_have_text([percent(p) for p in verdict.probs.values()], timeout=WAIT)


def numbers(page, selector: str) -> list[float]:
    return [float(text.replace("\u2212", "-")) for text in page.locator(selector).all_inner_texts()]


def test_the_room_by_keyboard_and_nothing_is_told_too_early(page, url, gallery):
    order = shuffled(bundled_examples())
    page.set_viewport_size({"width": 1440, "height": 900})
    enter(page)
    unfold(page)
    verdicts = [gallery[example.path] for example in order]
    shows(page, verdicts[0])
    for index in range(3):  # each class can be followed, in thousandths
        page.locator("#about .chooser select").select_option(str(index))
        expected = np.rint(1000 * verdicts[0].maps.evidence[index]).ravel()
        np.testing.assert_allclose(numbers(page, "#about .terms td"), expected, atol=1)
    sums = np.array(numbers(page, "#about .sums td")).reshape(3, 4)
    np.testing.assert_allclose(sums[:, 2], verdicts[0].logits, atol=6e-4)
    np.testing.assert_allclose(sums[:, 0] + sums[:, 1], sums[:, 2], atol=2e-3)
    metrics = json.loads((BUNDLED / "config.json").read_text("utf-8"))["metrics"]["test"]
    cells = page.locator("#about .known .box").first.locator("td")
    assert cells.first.inner_text() == f"{100 * metrics['clean']['balanced_accuracy']:.1f}"
    confusion = page.get_by_role("region", name="confusion matrix").locator("td").all_inner_texts()
    assert [int(text.split()[0]) for text in confusion] == [n for row in metrics["clean"]["confusion"] for n in row]
    expect(page.locator("#about .generators h2")).to_contain_text("generators, one picture of each")
    titles = {example.title for example in order}
    config = json.dumps(Client(int(url.rpartition(":")[2])).config)
    said = page.locator("#about").evaluate("(e) => e.outerHTML") + config
    assert not [title for title in titles if title in said]
    page.get_by_role("button", name="Tell me").press("Enter")
    told = page.locator("#about .thumbnails")
    expect(told.locator("img")).to_have_count(8, timeout=WAIT)
    p_ai = {example: verdict.p_ai for example, verdict in zip(order, verdicts, strict=True)}
    human = max((one for one in order if one.label == "human"), key=p_ai.get)
    ai = min((one for one in order if one.label != "human"), key=p_ai.get)
    for side, example in enumerate((human, ai)):
        expect(told.nth(side).locator("figcaption").first).to_contain_text(
            f"{percent(p_ai[example])}. Truth: {example.told}."
        )
    page.get_by_role("button", name="Four lessons").press("Enter")
    expect(page.locator("#lessons h3").first).to_be_visible()
    fits(page)
    assert axe(page) == []  # at 1440 pixels
    assert [asked for asked in page.asked if not asked.startswith((url, "data:", "blob:"))] == []


def test_the_last_picture_of_check_on_a_dark_phone(browser, url, bundled):
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark")
    with visitor(context, url) as page:
        for picture in (CAT, COFFEE):
            page.get_by_role("tab", name="Check").click()
            give(page, picture)
            (verdict,) = bundled.predict([picture])
            answered(page, verdict, picture.name)
            page.get_by_role("tab", name="How it works").click()
            expect(page.locator("#about .which")).to_have_text("Your last picture of Check.", timeout=WAIT)
            shows(page, verdict)
        unfold(page)
        fits(page)
        page.set_viewport_size({"width": 390, "height": 844})
        assert axe(page) == []
    context.close()


def test_what_fails_says_so_and_can_be_asked_again(page):
    page.evaluate("window.detectorSource = { file: { path: '/etc/hostname' } }")
    page.route("**/run/about_model", lambda route: route.abort())
    page.route("**/run/about_fooled", lambda route: route.abort())
    page.get_by_role("tab", name="How it works").click()
    expect(page.locator("#about .which")).to_have_text(GONE, timeout=WAIT)
    expect(page.locator("#about .steps")).to_be_hidden()
    expect(page.locator("#about .name")).to_contain_text("The server does not answer")
    page.get_by_role("button", name="Tell me").click()
    expect(page.locator("#about .said")).to_contain_text("The server does not answer")
    expect(page.get_by_role("button", name="Tell me")).to_be_enabled()
    page.get_by_role("tab", name="Check").click()
    page.evaluate("window.detectorSource = { example: 1 }")
    page.get_by_role("tab", name="How it works").click()
    expect(page.locator("#about .steps")).to_be_visible(timeout=WAIT)


def test_a_model_that_nobody_measured_and_names_that_are_markup(browser, published, tmp_path):
    save_checkpoint(tmp_path / "mine", published, Config())
    card = f"# Mine\n\n{EVIL}\n\n| {EVIL} | n |\n|---|---|\n| {EVIL} | 1 |\n"
    (tmp_path / "mine" / "README.md").write_text(card, "utf-8")
    (tmp_path / "mine" / "sample_dataset.png").write_bytes(b"no picture")
    Image.new("RGB", (80, 60)).save(tmp_path / "mine" / "loss_over_epochs.png")
    for label, picture in (("human", CAT), ("other_ai", COFFEE)):
        (tmp_path / "gallery" / label).mkdir(parents=True)
        (tmp_path / "gallery" / label / f"{EVIL}.png").write_bytes(picture.read_bytes())
    arguments = ("--model", str(tmp_path / "mine"), "--examples", str(tmp_path / "gallery"))
    with running_app(tmp_path, NO_HUB, *arguments) as address:
        page = browser.new_page()
        page.goto(address)
        enter(page)
        unfold(page)
        about = page.locator("#about")
        expect(about.locator(".learned .notes")).to_contain_text(UNMEASURED)
        expect(about.locator(".learned .notes")).to_contain_text("sample_dataset.png is not an image")
        expect(about.locator(".plot img")).to_have_attribute("alt", "Line plot of the loss of training and validation "
                                                             "pictures after each pass over the data.")  # fmt: skip
        expect(about.get_by_role("region", name="confusion matrix")).to_have_count(0)
        expect(about.locator(".generators")).to_be_hidden()
        expect(about.locator(".uncooled")).to_be_visible()
        page.get_by_role("button", name="Tell me").click()
        expect(about.locator(".thumbnails figcaption")).to_have_count(2, timeout=WAIT)
        assert about.inner_text().count(EVIL) >= 5  # a paragraph, a table's cells, two names
        assert about.locator("[onerror]").count() == 0
        page.close()
