"""No picture is lost: dropped, pasted or picked, anywhere on the page, the last one given is the one that is judged."""

import json
import re
from functools import partial

import pytest
from playwright.sync_api import Page, Route, expect

from tests import client
from tests.browser import CHROMIUM, FLAGS, WAIT
from tests.conftest import EXAMPLES
from tests.running import NO_HUB, running_app
from tests.test_page import give

CAT, COFFEE, ROCKET = (EXAMPLES / name for name in ("chelsea.png", "coffee.png", "rocket.jpg"))


@pytest.fixture(scope="module")
def sentences(bundled) -> dict:
    return {path: bundled.predict([path])[0].sentence for path in (CAT, COFFEE, ROCKET)}


def drag(page: Page, selector: str, *files) -> None:
    """A drag from the desktop, as the browser itself makes it."""
    page.locator(selector).scroll_into_view_if_needed()
    box = page.locator(selector).bounding_box()
    where = {"x": box["x"] + box["width"] / 2, "y": box["y"] + min(box["height"] / 2, 40)}
    data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, **where, "data": data})


def paste(page: Page, name: str, data: bytes, kind: str) -> None:
    """What Ctrl+V makes of a file in the clipboard, where the page may not read that itself (plain http)."""
    page.evaluate(
        """([name, bytes, type]) => { const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], name, {type}));
        document.activeElement.dispatchEvent(
          new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true})); }""",
        [name, list(data), kind],
    )


def answered(page: Page, sentence: str) -> None:
    expect(page.locator("#answer .sentence")).to_have_text(sentence, timeout=WAIT)
    expect(page.locator("#image img")).to_have_count(1)


@pytest.mark.parametrize("place", ["#image", "#answer", "#title", "#examples", "#model-line"])
def test_a_drop_anywhere_replaces_the_picture(page, sentences, place):
    address = page.url
    drag(page, "#image", COFFEE)
    answered(page, sentences[COFFEE])
    drag(page, place, CAT)
    answered(page, sentences[CAT])
    assert page.locator("#image img").get_attribute("alt").endswith("chelsea.png")
    assert page.url == address


def test_ctrl_v_anywhere(page, sentences):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate(
        """async bytes => navigator.clipboard.write([new ClipboardItem(
        {'image/png': new Blob([new Uint8Array(bytes)], {type: 'image/png'})})])""",
        list(CAT.read_bytes()),
    )
    page.mouse.click(15, 15)
    page.keyboard.press("Control+v")
    expect(page.locator("#answer .sentence")).to_have_text(sentences[CAT], timeout=WAIT)
    give(page, COFFEE)
    answered(page, sentences[COFFEE])
    page.locator("#opacity input[type=range]").focus()
    page.keyboard.press("Control+v")
    answered(page, sentences[CAT])


def test_text_is_pasted_into_a_field_and_elsewhere_is_a_sentence(page):
    give(page, COFFEE)
    expect(page.locator("#map img")).to_be_visible(timeout=WAIT)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("navigator.clipboard.writeText('0.3')")
    field = page.locator("#opacity input[type=number]")
    field.fill("")
    field.focus()
    page.keyboard.press("Control+v")
    expect(field).to_have_value("0.3")
    page.mouse.click(15, 15)
    page.keyboard.press("Control+v")
    expect(page.locator("#answer .error")).to_contain_text("holds no image file", timeout=WAIT)


def test_of_several_files_the_first_picture_is_judged_and_that_is_said(page, sentences, tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    drag(page, "#answer", tmp_path / "notes.txt", CAT, COFFEE)
    answered(page, sentences[CAT])
    note = page.locator("#image .note")  # it stays beside the answer
    expect(note).to_have_text("One at a time: of the 3 files, chelsea.png is judged; the rest was left out.")
    give(page, COFFEE)
    expect(note).to_have_text("")


@pytest.mark.parametrize(("name", "kind", "data", "words"), [
    ("IMG_1.heic", "", b"\0\0\0\x18ftypheic" + bytes(99), "IMG_1.heic is a HEIC photo"),
    ("letter", "", b"Dear diary", "letter is not an image"),
    ("paper.pdf", "application/pdf", b"%PDF-1.7 " + bytes(99), "paper.pdf is not an image"),
    ("empty.png", "image/png", b"", "empty.png is empty"),
])  # fmt: skip
def test_what_is_no_picture_meets_our_sentence(page, name, kind, data, words):
    give(page, {"name": name, "mimeType": kind, "buffer": data})
    expect(page.locator("#answer .error")).to_contain_text(words, timeout=WAIT)
    expect(page.locator(".toast-body")).to_have_count(0)


def test_a_picture_without_a_suffix_is_judged(page, sentences):
    give(page, {"name": "picture", "mimeType": "", "buffer": CAT.read_bytes()})
    answered(page, sentences[CAT])


def test_a_dropped_link_does_not_leave_the_page(page):
    address = page.url
    page.evaluate(
        """() => { const data = new DataTransfer(); data.setData("text/uri-list", "http://example.com/a.png");
        document.body.dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true})); }"""
    )
    expect(page.locator("#answer .error")).to_contain_text("holds no image file", timeout=WAIT)
    assert page.url == address


def test_no_old_answer_beside_a_new_picture(page, sentences):
    """While the new picture is on its way, and when it does not get there."""
    give(page, COFFEE)
    answered(page, sentences[COFFEE])
    page.route("**/upload*", lambda route: route.abort())
    give(page, CAT)
    expect(page.locator("#answer .error")).to_contain_text("chelsea.png could not be sent")
    expect(page.locator("#answer .sentence")).to_have_count(0)
    expect(page.locator("#map")).not_to_be_visible()
    page.unroute("**/upload*")
    for body, words in (("No room left.", "No room left."), ('{"detail": "The disk is full."}', "The disk is full.")):
        page.route("**/upload*", partial(refuse, status=507, body=body))
        give(page, CAT)
        expect(page.locator("#answer .error")).to_have_text(words)
        page.unroute("**/upload*")
    give(page, CAT)
    answered(page, sentences[CAT])


def test_the_last_of_many_is_the_one_that_is_judged(page, sentences):
    for path in (COFFEE, ROCKET, COFFEE, CAT):
        give(page, path)
    answered(page, sentences[CAT])
    page.locator("#examples .grid-container button").nth(2).click()  # the cup of coffee
    answered(page, sentences[COFFEE])
    assert page.locator("#image img").get_attribute("alt").endswith("coffee.png")


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


def test_a_late_answer_is_never_seen_beside_the_next_picture(page, sentences):
    seen = page.evaluate_handle(
        """() => { const seen = []; const look = () => seen.push([document.querySelector("#image img")?.alt ?? "",
          document.querySelector("#answer").innerText]);
        new MutationObserver(look).observe(document.body, {childList: true, subtree: true}); return seen; }"""
    )
    held = hold_the_first_question(page)
    give(page, COFFEE)
    while not held:
        page.wait_for_timeout(20)
    give(page, CAT)
    expect(page.locator("#image img")).to_have_attribute("alt", re.compile("chelsea"))
    let_go(page, held)
    answered(page, sentences[CAT])
    assert not [alt for alt, words in seen.json_value() if sentences[COFFEE] in words and "coffee" not in alt]


def test_a_picture_given_while_an_example_is_fetched_is_the_one_that_counts(page, sentences):
    held = hold_the_first_question(page)
    page.locator("#examples .grid-container button").nth(2).click()
    while not held:
        page.wait_for_timeout(20)
    give(page, CAT)
    answered(page, sentences[CAT])
    with page.expect_response("**/queue/join*"):
        let_go(page, held)
    page.locator("#class").get_by_label("DALL-E").check()  # one more way to the server and back
    expect(page.locator("#legend")).to_contain_text("DALL-E", timeout=WAIT)
    answered(page, sentences[CAT])
    assert page.locator("#image img").get_attribute("alt").endswith("chelsea.png")


def test_of_two_examples_chosen_quickly_the_second_is_answered_and_either_can_be_chosen_again(page, sentences):
    buttons = page.locator("#examples .grid-container button")
    buttons.nth(0).click()
    buttons.nth(2).click()
    answered(page, sentences[COFFEE])
    give(page, CAT)
    answered(page, sentences[CAT])
    buttons.nth(2).click()
    answered(page, sentences[COFFEE])


def test_removed_while_it_is_judged(page):
    held = hold_the_first_question(page)
    give(page, COFFEE)
    while not held:
        page.wait_for_timeout(20)
    page.get_by_label("Remove image").click()
    let_go(page, held)
    expect(page.locator("#answer .waiting")).to_contain_text("Drop, paste or pick", timeout=WAIT)
    expect(page.locator("#answer .sentence")).not_to_be_visible()
    expect(page.locator("#map")).not_to_be_visible()


def test_a_question_that_is_refused_is_a_sentence_and_the_next_one_is_answered(page, sentences):
    page.route("**/queue/join*", partial(refuse, status=503, body='{"detail": "Queue is full."}'))
    give(page, COFFEE)
    expect(page.locator("#answer p.error")).to_contain_text("No answer came", timeout=WAIT)
    page.unroute("**/queue/join*")
    give(page, CAT)
    answered(page, sentences[CAT])


def test_a_picture_of_text_beside_the_text_is_pasted_as_text_into_a_field(page):
    """As office programs copy."""
    give(page, COFFEE)
    expect(page.locator("#map img")).to_be_visible(timeout=WAIT)
    page.locator("#opacity input[type=number]").focus()
    taken = page.evaluate(
        """() => { const data = new DataTransfer(); data.setData("text/plain", "0.3");
        data.items.add(new File(["x"], "image.png", {type: "image/png"}));
        return !document.activeElement.dispatchEvent(
          new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true})); }"""
    )
    assert not taken
    assert page.locator("#image img").get_attribute("alt").endswith("coffee.png")


def test_no_posted_address_is_fetched(url):
    page = client.Page(int(url.rsplit(":", 1)[1]))
    address = {"path": "https://example.com/a.png", "meta": {"_type": "gradio.FileData"}}
    event = {"data": [address, "cam", 0.7], "session_hash": "address", "fn_index": 0}
    page.request("POST", "/gradio_api/queue/join", json.dumps(event).encode())
    assert b"Addresses are not fetched" in page.request("GET", "/gradio_api/queue/data?session_hash=address")


def test_picker_by_mouse_and_keyboard(page, sentences):
    with page.expect_file_chooser() as chooser:
        page.locator("#image .pick").press("Enter")
    chooser.value.set_files(COFFEE)
    answered(page, sentences[COFFEE])
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Another image").click()
    chooser.value.set_files(CAT)
    answered(page, sentences[CAT])
    page.get_by_label("Remove image").press("Enter")
    expect(page.locator("#image img")).to_have_count(0)
    expect(page.locator("#answer")).to_contain_text("Drop, paste or pick", timeout=WAIT)


def test_over_plain_http_and_when_the_server_is_gone(tmp_path, sentences, page):
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
        answered(visitor, sentences[CAT])
    give(visitor, COFFEE)
    expect(visitor.locator("#answer .error")).to_contain_text(
        re.compile("coffee.png could not be sent.*Try again"), timeout=WAIT
    )
    chromium.close()
