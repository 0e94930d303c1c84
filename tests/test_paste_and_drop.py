"""No picture is lost: dropped, pasted or picked, anywhere on the page, the last one given is the one that is judged."""

import json
import re
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests import client
from tests.browser import CHROMIUM, FLAGS, WAIT, answered, drag, give, percent
from tests.conftest import EXAMPLES
from tests.running import NO_HUB, running_app
from ui.gallery import bundled_examples, shuffled

CAT, COFFEE, ROCKET = (EXAMPLES / name for name in ("chelsea.png", "coffee.png", "rocket.jpg"))


@pytest.fixture(scope="module")
def verdicts(bundled) -> dict:
    return {path: bundled.predict([path])[0] for path in (CAT, COFFEE, ROCKET)}


def paste(page: Page, name: str, data: bytes, kind: str) -> None:
    """What Ctrl+V makes of a file in the clipboard, where the page may not read that itself (plain http)."""
    page.evaluate(
        """([name, bytes, type]) => { const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], name, {type}));
        document.activeElement.dispatchEvent(
          new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true})); }""",
        [name, list(data), kind],
    )


def answers(page: Page, path: Path, verdicts: dict) -> None:
    answered(page, verdicts[path], path.name)


def error(page: Page) -> Locator:
    expect(page.locator("#answer .who")).to_have_text("No answer", timeout=WAIT)
    return page.locator("#answer .sure")


@pytest.mark.parametrize("place", ["#image", "#answer", "#title", "#examples"])
def test_a_drop_anywhere_replaces_the_picture(page, verdicts, place):
    address = page.url
    drag(page, "#image", COFFEE)
    answers(page, COFFEE, verdicts)
    drag(page, place, CAT)
    answers(page, CAT, verdicts)
    assert page.url == address


def test_ctrl_v_anywhere(page, verdicts):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate(
        """async bytes => navigator.clipboard.write([new ClipboardItem(
        {'image/png': new Blob([new Uint8Array(bytes)], {type: 'image/png'})})])""",
        list(CAT.read_bytes()),
    )
    page.mouse.click(15, 15)
    page.keyboard.press("Control+v")
    answered(page, verdicts[CAT], "image.png")
    give(page, COFFEE)
    answers(page, COFFEE, verdicts)
    page.locator("#image .opacity").focus()
    page.keyboard.press("Control+v")
    answered(page, verdicts[CAT], "image.png")


NO_FILE = "That holds no image file; save the picture, then drop or pick the file."


def add_field(page: Page) -> Locator:
    page.evaluate("document.querySelector('#title').append(document.createElement('textarea'))")
    return page.locator("#title textarea")


def test_text_is_pasted_into_a_field_and_elsewhere_is_a_sentence_that_costs_nothing(page, verdicts):
    give(page, COFFEE)
    answers(page, COFFEE, verdicts)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("navigator.clipboard.writeText('0.3')")
    field = add_field(page)
    field.focus()
    page.keyboard.press("Control+v")
    expect(field).to_have_value("0.3")
    expect(page.locator("#image .note")).to_have_text("")
    page.mouse.click(15, 15)
    page.keyboard.press("Control+v")
    expect(page.locator("#image .note")).to_have_text(NO_FILE)
    answers(page, COFFEE, verdicts)


@pytest.mark.parametrize(("name", "kind", "data", "words"), [
    ("IMG_1.heic", "", b"\0\0\0\x18ftypheic" + bytes(99), "IMG_1.heic is a HEIC photo"),
    ("letter", "", b"Dear diary", "letter is not an image"),
    ("paper.pdf", "application/pdf", b"%PDF-1.7 " + bytes(99), "paper.pdf is not an image"),
    ("empty.png", "image/png", b"", "empty.png is empty"),
])  # fmt: skip
def test_what_is_no_picture_meets_our_sentence(page, name, kind, data, words):
    give(page, {"name": name, "mimeType": kind, "buffer": data})
    expect(error(page)).to_contain_text(words)
    expect(page.locator(".toast-body:visible")).to_have_count(0)


def test_a_picture_without_a_suffix_is_judged(page, verdicts):
    give(page, {"name": "picture", "mimeType": "", "buffer": CAT.read_bytes()})
    answered(page, verdicts[CAT], "picture")


def test_a_dropped_link_does_not_leave_the_page(page):
    address = page.url
    page.evaluate(
        """() => { const data = new DataTransfer(); data.setData("text/uri-list", "http://example.com/a.png");
        document.body.dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true})); }"""
    )
    expect(page.locator("#image .note")).to_have_text(NO_FILE)
    assert page.url == address


def test_no_old_answer_beside_a_new_picture(page, verdicts):
    """While the new picture is on its way, and when it does not get there."""
    give(page, COFFEE)
    answers(page, COFFEE, verdicts)
    page.route("**/upload*", lambda route: route.abort())
    give(page, CAT)
    expect(error(page)).to_contain_text("chelsea.png could not be sent")
    expect(page.locator("#image .tiles")).not_to_be_visible()
    expect(page.locator("#answer .rates")).to_have_text("")
    page.unroute("**/upload*")
    for body, words in (("No room left.", "No room left."), ('{"detail": "The disk is full."}', "The disk is full.")):
        page.route("**/upload*", partial(refuse, status=507, body=body))
        give(page, CAT)
        expect(error(page)).to_have_text(words)
        page.unroute("**/upload*")
    give(page, CAT)
    answers(page, CAT, verdicts)


def test_the_last_of_many_is_the_one_that_is_judged(page, verdicts):
    for path in (COFFEE, ROCKET, COFFEE, CAT):
        give(page, path)
    answers(page, CAT, verdicts)
    picture_of(page, COFFEE).click()
    answered(page, verdicts[COFFEE], r"Picture \d+")


def picture_of(page: Page, path: Path) -> Locator:
    """The picture of the gallery that is this file."""
    order = [example.path for example in shuffled(bundled_examples())]
    while order.index(path) >= page.locator("#examples .picture").count():
        page.get_by_role("button", name="More pictures").click()
    return page.locator("#examples .picture").nth(order.index(path))


def refuse(route: Route, status: int, body: str) -> None:
    route.fulfill(status=status, body=body)


def hold_the_first_question(page: Page) -> list:
    """The first question to the server after this is kept back in the list that is returned."""
    held = []
    page.route("**/queue/join*", lambda route: route.continue_() if held else held.append(route))
    return held


def let_go(page: Page, held: list) -> None:
    while not held:
        page.wait_for_timeout(20)
    held[0].continue_()


def test_a_late_answer_is_never_seen_beside_the_next_picture(page, verdicts):
    seen = page.evaluate_handle(
        """() => { const seen = []; const look = () => seen.push([document.querySelector("#image .view").ariaLabel,
          [...document.querySelectorAll("#image .percent")].map((e) => e.innerText).join()]);
        new MutationObserver(look).observe(document.body, {childList: true, subtree: true, attributes: true});
        return seen; }"""
    )
    held = hold_the_first_question(page)
    give(page, COFFEE)
    while not held:
        page.wait_for_timeout(20)
    give(page, CAT)
    expect(page.locator("#image .view")).to_have_attribute("aria-label", "chelsea.png")
    let_go(page, held)
    answers(page, CAT, verdicts)
    late = ",".join(percent(p) for p in verdicts[COFFEE].probs.values())
    shown = seen.json_value()
    assert len(shown) > 3
    assert [label for label, percents in shown if percents == late] == []


def test_a_picture_given_while_an_example_is_fetched_is_the_one_that_counts(page, verdicts):
    held = hold_the_first_question(page)
    picture_of(page, COFFEE).click()
    while not held:
        page.wait_for_timeout(20)
    give(page, CAT)
    answers(page, CAT, verdicts)
    with page.expect_response("**/queue/join*"):
        let_go(page, held)
    picture_of(page, ROCKET).click()  # one more way to the server and back
    answered(page, verdicts[ROCKET], r"Picture \d+")
    expect(picture_of(page, COFFEE)).to_have_class("picture")  # it was never answered


def test_of_two_examples_chosen_quickly_the_second_is_answered_and_either_can_be_chosen_again(page, verdicts):
    picture_of(page, ROCKET).click()
    picture_of(page, COFFEE).click()
    answered(page, verdicts[COFFEE], r"Picture \d+")
    give(page, CAT)
    answers(page, CAT, verdicts)
    picture_of(page, COFFEE).click()
    answered(page, verdicts[COFFEE], r"Picture \d+")


def test_removed_while_it_is_judged(page):
    held = hold_the_first_question(page)
    give(page, COFFEE)
    while not held:
        page.wait_for_timeout(20)
    page.get_by_label("Remove picture").click()
    with page.expect_response("**/queue/join*"):
        let_go(page, held)
    page.wait_for_timeout(1500)
    expect(page.locator("#answer .who")).to_have_text("Who made this picture?")
    expect(page.locator("#image .tiles")).not_to_be_visible()


def test_a_question_that_is_refused_is_a_sentence_and_the_next_one_is_answered(page, verdicts):
    page.route("**/queue/join*", partial(refuse, status=503, body='{"detail": "Queue is full."}'))
    give(page, COFFEE)
    expect(error(page)).to_contain_text("The server is gone, or too many people are waiting")
    page.unroute("**/queue/join*")
    give(page, CAT)
    answers(page, CAT, verdicts)


def test_a_question_about_a_map_that_fails_late_costs_no_answer(page, verdicts):
    give(page, COFFEE)
    answers(page, COFFEE, verdicts)
    held = hold_the_first_question(page)
    page.get_by_text("More ways to look").click()
    page.get_by_label("Method").select_option("gradcam")
    while not held:
        page.wait_for_timeout(20)
    give(page, CAT)
    answers(page, CAT, verdicts)
    refuse(held[0], status=503, body='{"detail": "Queue is full."}')
    page.wait_for_timeout(1000)
    answers(page, CAT, verdicts)
    expect(page.locator("#image .said")).to_have_text("")


def test_a_picture_of_text_beside_the_text_is_pasted_as_text_into_a_field(page, verdicts):
    """As office programs copy."""
    give(page, COFFEE)
    answers(page, COFFEE, verdicts)
    add_field(page).focus()
    taken = page.evaluate(
        """() => { const data = new DataTransfer(); data.setData("text/plain", "0.3");
        data.items.add(new File(["x"], "image.png", {type: "image/png"}));
        return !document.activeElement.dispatchEvent(
          new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true})); }"""
    )
    assert not taken
    answers(page, COFFEE, verdicts)


def test_no_posted_address_is_fetched(url):
    page = client.Page(int(url.rsplit(":", 1)[1]))
    address = {"path": "https://example.com/a.png", "meta": {"_type": "gradio.FileData"}}
    event = {"data": [{"turn": 1, "file": address}], "session_hash": "address", "fn_index": 0}
    page.request("POST", "/gradio_api/queue/join", json.dumps(event).encode())
    assert b"Addresses are not fetched" in page.request("GET", "/gradio_api/queue/data?session_hash=address")


def test_picker_by_mouse_and_keyboard(page, verdicts):
    with page.expect_file_chooser() as chooser:
        page.locator("#image .pick").press("Enter")
    chooser.value.set_files(COFFEE)
    answers(page, COFFEE, verdicts)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Another picture").click()
    chooser.value.set_files(CAT)
    answers(page, CAT, verdicts)
    page.get_by_label("Remove picture").press("Enter")
    expect(page.locator("#image .view")).to_have_attribute("aria-label", "No picture yet")
    expect(page.locator("#image .pick")).to_be_focused()


def test_over_plain_http_and_when_the_server_is_gone(tmp_path, verdicts, page):
    """Away from localhost a page may not read the clipboard, but gets what is pasted."""
    with running_app(tmp_path, NO_HUB, "--model", "bundled", "--precision", "fp32") as address:
        port = address.rsplit(":", 1)[1]
        rules = f"--host-resolver-rules=MAP plain.test 127.0.0.1:{port}"
        chromium = page.context.browser.browser_type.launch(
            executable_path=CHROMIUM, args=[*FLAGS, rules, "--no-proxy-server"]
        )
        visitor = chromium.new_page()
        visitor.goto(f"http://plain.test:{port}")
        visitor.locator("#image .pick").focus(timeout=WAIT)
        assert visitor.evaluate("navigator.clipboard") is None
        paste(visitor, "image.png", CAT.read_bytes(), "image/png")
        answered(visitor, verdicts[CAT], "image.png")
    visitor.locator("#examples .picture").first.click()
    expect(error(visitor)).to_contain_text("The server is gone, or too many people are waiting")
    give(visitor, COFFEE)
    expect(error(visitor)).to_contain_text(re.compile("coffee.png could not be sent.*Try again"))
    chromium.close()
