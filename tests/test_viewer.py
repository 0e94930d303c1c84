"""The map over the picture: the browser paints what the library would, without asking for anything."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from detector import CLASSES
from detector.explain import overlay
from detector.images import open_image
from detector.verdict import NAMES
from tests.browser import WAIT, answered, give
from tests.conftest import EXAMPLES

CAT = EXAMPLES / "chelsea.png"


def pixels(page: Page, selector: str = "#image .view") -> np.ndarray:
    """What is on a canvas (H, W, 3)."""
    address = page.locator(selector).evaluate("(canvas) => canvas.toDataURL('image/png')")
    data = base64.b64decode(address.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), int)


def set_opacity(page: Page, percents: int) -> None:
    page.locator("#image .opacity").evaluate(
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input', {bubbles: true})); }",
        percents,
    )


@pytest.fixture
def shown(page, bundled):
    """The page with the cat's answer, and that answer."""
    (verdict,) = bundled.predict([CAT])
    give(page, CAT)
    answered(page, verdict, CAT.name)
    return page, verdict


def test_pixels_are_those_of_the_library(shown):
    page, verdict = shown
    picture = open_image(CAT)
    for kind, opacity in (("cam", 70), ("evidence", 70), ("evidence", 100), ("cam", 35)):
        page.locator("#image .signed input").set_checked(kind == "evidence")
        set_opacity(page, opacity)
        for index, name in enumerate(CLASSES):
            page.get_by_role("radio", name=NAMES[name]).click()
            expected = np.asarray(overlay(picture, verdict.maps, index, kind, opacity / 100), int)
            assert np.abs(pixels(page) - expected).mean() < 1
            assert np.abs(pixels(page) - expected).max() <= 4
    set_opacity(page, 0)
    assert np.abs(pixels(page) - np.asarray(picture, int)).max() == 0


def test_nothing_is_asked_for_when_class_kind_or_strength_change(shown):
    page, _ = shown
    expect(page.locator("#answer .holds summary")).to_contain_text(
        "Holds", timeout=WAIT
    )  # the last that is asked by itself
    page.wait_for_timeout(1500)
    before = len(page.asked)
    for name in NAMES.values():
        for signed in (True, False):
            page.locator("#image .signed input").set_checked(signed)
            page.get_by_role("radio", name=name).click()
            expect(page.get_by_role("radio", name=name)).to_be_checked()
        set_opacity(page, 20)
    page.wait_for_timeout(500)
    assert page.asked[before:] == []


def test_tiles_by_keyboard(shown):
    page, verdict = shown
    tiles = page.locator("#image .tile")
    first = CLASSES.index(verdict.label)
    assert [tile.get_attribute("tabindex") for tile in tiles.all()].count("0") == 1
    expect(tiles.nth(first)).to_be_checked()
    tiles.nth(first).focus()
    for step, key in ((1, "ArrowRight"), (2, "ArrowDown"), (1, "ArrowLeft"), (0, "ArrowUp"), (-1, "ArrowLeft")):
        page.keyboard.press(key)
        now = tiles.nth((first + step) % 3)
        expect(now).to_be_focused()
        expect(now).to_be_checked()
        label = page.locator("#image .view").get_attribute("aria-label")
        assert label.endswith(list(NAMES.values())[(first + step) % 3])


def test_a_cell_says_its_share(shown):
    page, verdict = shown
    maps = verdict.maps.evidence[CLASSES.index("human")]
    page.get_by_role("radio", name="Human").click()
    page.locator("#image .signed input").check()
    box = page.locator("#image .view").bounding_box()
    row, column = np.unravel_index(maps.argmax(), maps.shape)
    page.mouse.move(box["x"] + (column + 0.5) * box["width"] / 7, box["y"] + (row + 0.5) * box["height"] / 7)
    points = round(100 * maps.max() / maps[maps > 0].sum())
    expect(page.locator("#image .spot")).to_have_text(f"Here lie {points} of 100 points that speak for Human.")


def test_other_methods_come_from_the_library(shown, bundled):
    page, verdict = shown
    maps = bundled.explain_with(bundled.prepare(CAT), "layercam", "denseblock3")
    page.get_by_text("More ways to look").click()
    page.get_by_label("Method").select_option("layercam")
    page.get_by_label("Fineness").select_option("denseblock3")
    expected = np.asarray(overlay(open_image(CAT), maps, CLASSES.index(verdict.label), "cam", 0.7), int)
    for _ in range(WAIT // 250):
        if np.abs(pixels(page) - expected).mean() < 1:
            break
        page.wait_for_timeout(250)
    assert np.abs(pixels(page) - expected).mean() < 1
    expect(page.locator("#image .said")).to_have_text("")
    page.get_by_label("Method").select_option("")
    own = np.asarray(overlay(open_image(CAT), verdict.maps, CLASSES.index(verdict.label), "cam", 0.7), int)
    assert np.abs(pixels(page) - own).mean() < 1


def test_a_picture_that_the_server_forgot_cannot_be_looked_at_anew(shown):
    page, verdict = shown
    page.route("**/queue/join*", lambda route: route.fulfill(status=503, body='{"detail": "Queue is full."}'))
    page.get_by_text("More ways to look").click()
    page.get_by_label("Method").select_option("gradcam++")
    expect(page.locator("#image .said")).to_contain_text("no longer has this picture", timeout=WAIT)
    answered(page, verdict, CAT.name)


def test_what_the_browser_cannot_show_comes_from_the_server(page, bundled, tmp_path):
    Image.open(CAT).save(tmp_path / "cat.tiff")
    give(page, tmp_path / "cat.tiff")
    answered(page, *bundled.predict([tmp_path / "cat.tiff"]), "cat.tiff")
    set_opacity(page, 0)
    assert np.abs(pixels(page) - np.asarray(Image.open(CAT).convert("RGB"), int)).mean() < 3  # it came as a JPEG


def test_a_turned_photo_lies_as_people_see_it_and_only_the_first_frame_shows(page, bundled, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    Image.open(CAT).convert("RGB").save(tmp_path / "turned.jpg", exif=exif, quality=95)
    give(page, tmp_path / "turned.jpg")
    answered(page, *bundled.predict([tmp_path / "turned.jpg"]), "turned.jpg")
    assert pixels(page).shape[:2] == Image.open(CAT).size
    frames = [Image.open(CAT).convert("RGB"), Image.open(EXAMPLES / "coffee.png").convert("RGB").resize((451, 300))]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:], duration=50, loop=0)
    give(page, tmp_path / "moving.gif")
    answered(page, *bundled.predict([tmp_path / "moving.gif"]), "moving.gif")
    set_opacity(page, 0)
    assert np.abs(pixels(page) - np.asarray(open_image(tmp_path / "moving.gif"), int)).mean() < 3


def test_no_old_picture_beside_what_cannot_be_shown(shown):
    page, _ = shown
    give(page, {"name": "letter.png", "mimeType": "image/png", "buffer": b"Dear diary"})
    expect(page.locator("#answer .sure")).to_contain_text("letter.png is not an image", timeout=WAIT)
    expect(page.locator("#image .view")).not_to_be_visible()
    expect(page.locator("#image .name")).to_have_text("letter.png")


def test_saved_picture_shows_picture_words_and_model(shown, tmp_path):
    page, verdict = shown
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as a picture").click()
    assert re.fullmatch(r"chelsea-[a-z-]+\.png", download.value.suggested_filename)
    download.value.save_as(tmp_path / "saved.png")
    saved = Image.open(tmp_path / "saved.png").convert("RGB")
    assert saved.width == 1200
    under = overlay(open_image(CAT), verdict.maps, CLASSES.index(verdict.label), "cam", 0.7)
    height = round(under.height * 568 / under.width)
    theirs = np.asarray(under.resize((568, height)), int)
    ours = np.asarray(saved.crop((32, 32, 600, 32 + height)), int)
    assert np.abs(ours - theirs).mean() < 4
    right = np.asarray(saved.crop((632, 0, 1168, saved.height)).convert("L"))
    assert 0.01 < (right < 128).mean() < 0.3  # words
    bottom = np.asarray(saved.crop((0, saved.height - 20, 1200, saved.height)))
    assert (bottom == 255).all()  # nothing is cut off


def test_saved_picture_of_a_tall_one_with_a_long_name(page, bundled, tmp_path):
    path = tmp_path / f"{'a_very_long_name_' * 8}.png"
    Image.open(CAT).resize((100, 800)).save(path)
    give(page, path)
    answered(page, *bundled.predict([path]), path.name)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as a picture").click()
    assert len(download.value.suggested_filename) < 120
    download.value.save_as(tmp_path / "saved.png")
    saved = Image.open(tmp_path / "saved.png").convert("L")
    assert saved.height < 1100
    assert (np.asarray(saved.crop((1170, 0, 1200, saved.height))) == 255).all()  # no word runs over the edge


def test_an_upload_s_answer_is_heard_once_and_a_gallery_s_is_told(shown):
    page, _ = shown
    verdict = page.locator("#answer .verdict")
    assert verdict.get_attribute("role") == "status"
    assert verdict.get_attribute("aria-live") == "off"
    expect(verdict).to_be_focused()
    page.locator("#examples .picture").first.click()
    expect(page.locator("#answer .truth")).to_contain_text("Truth:", timeout=WAIT)
    assert verdict.get_attribute("aria-live") == "polite"
    expect(verdict).not_to_be_focused()


def test_a_finger_tells_a_cell_too(browser, url, bundled):
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    page.goto(url)
    page.locator("#image .pick").wait_for(timeout=WAIT)
    give(page, CAT)
    answered(page, *bundled.predict([CAT]), CAT.name)
    page.locator("#image .view").tap()
    page.wait_for_timeout(300)
    expect(page.locator("#image .spot")).to_contain_text("Here lie")
    context.close()


def test_nothing_moves_while_an_answer_comes(shown):
    """The gallery stays where it is, under the finger that chose."""
    page, _ = shown
    places = page.evaluate_handle(
        """() => { const seen = new Set(); const look = () => seen.add(
          Math.round(document.querySelector("#examples .pictures").getBoundingClientRect().top + scrollY));
        new MutationObserver(look).observe(document.body, {childList: true, subtree: true, attributes: true});
        look(); return seen; }"""
    )
    page.locator("#examples .picture").nth(4).click()
    expect(page.locator("#answer .truth")).to_contain_text("Truth:", timeout=WAIT)
    page.wait_for_timeout(500)
    assert len(places.evaluate("(seen) => [...seen]")) == 1
