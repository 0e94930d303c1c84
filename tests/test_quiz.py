"""The game: nothing tells the truth before the guess, the score is the library's, and a class plays alike."""

import json
import re
from collections import Counter
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from detector import CLASSES
from detector.verdict import NAMES
from tests.browser import WAIT, axe, overflowing, percent
from ui.gallery import Example, bundled_examples, shuffled
from ui.quiz.rounds import class_pictures


@pytest.fixture(scope="module")
def order() -> list[Example]:
    return shuffled(bundled_examples())


def open_room(page: Page) -> None:
    page.locator("#quiz-room-button").click()
    expect(page.locator("#quiz .go")).to_be_visible(timeout=WAIT)


def watch_pictures(page: Page) -> list[int]:
    """The numbers of those that the page asks for, as it does."""
    numbers = []
    page.on("request", lambda sent: sent.url.endswith("/play_picture") and numbers.append(
        json.loads(sent.post_data)["data"][0]["picture"]))  # fmt: skip
    return numbers


def binned(answers: list[tuple[float, bool]]) -> Counter:
    """(bin, right) of each (how sure, right)."""
    return Counter((sum(sure >= bound for bound in (0.5, 0.7, 0.9)), right) for sure, right in answers)


def scored(page: Page, played: list[Example], guesses: list[int], sures: list[float], verdicts) -> None:
    """The last page says what became of these guesses, and of the library's own answers."""
    mine = [CLASSES[guess] == example.label for guess, example in zip(guesses, played, strict=True)]
    model = [verdict.label == example.label for verdict, example in zip(verdicts, played, strict=True)]
    n = len(played)
    expect(page.locator("#quiz .score")).to_have_text(
        f"You were right in {sum(mine)} of {n}, the model in {sum(model)} of {n}."
    )
    both = sum(not a and not b for a, b in zip(mine, model, strict=True))
    expect(page.locator("#quiz .sum b")).to_have_text([f"{sum(mine)}", f"{sum(model)}", f"{both}"])
    told = page.locator("#quiz .plot svg").get_attribute("aria-label")
    names = ("below 50 %", "50 to 70 %", "70 to 90 %", "90 % and above")
    its = [(round(verdict.probs[verdict.label], 4), right) for verdict, right in zip(verdicts, model, strict=True)]
    for who, answers in (("You", list(zip(sures, mine, strict=True))), ("The model", its)):
        counted = binned(answers)
        for i, name in enumerate(names):
            total = counted[i, True] + counted[i, False]
            assert (f"{who}, {name} sure: {counted[i, True]} of {total} right." in told) == bool(total), (told, counted)
    expect(page.locator("#quiz .fooled figure")).to_have_count(n - sum(mine))


def test_a_whole_game_by_keyboard_and_nothing_tells_before_the_guess(page, url, order, gallery):
    page.set_viewport_size({"width": 1440, "height": 900})
    numbers, answers = watch_pictures(page), []
    page.on("response", lambda got: "/run/" in got.url and answers.append(got))
    page.locator("#quiz-room-button").focus()
    page.keyboard.press("Enter")
    go = page.locator("#quiz .go")
    expect(go).to_be_visible(timeout=WAIT)
    for _ in range(6):
        if not go.evaluate("(e) => e === document.activeElement"):
            page.keyboard.press("Tab")
    expect(go).to_be_focused()
    page.keyboard.press("Enter")
    guesses, sures = [], []
    for i in range(10):
        expect(page.locator("#quiz .number")).to_have_text(f"Picture {i + 1} of 10")
        expect(page.locator("#quiz .number")).to_be_focused()
        now = order[numbers[-1]]
        said = page.content() + "".join(got.text() for got in answers if not got.url.endswith("/play_picture"))
        assert not [word for word in (now.path.name, now.title, now.told) if word in said]
        assert all(got.json()["data"][0].keys() == {"picture"} for got in answers if got.url.endswith("/play_picture"))
        guesses.append(i % 3)
        page.keyboard.press(f"{1 + (i + 1) % 3}")
        page.keyboard.press(f"{1 + i % 3}")  # thought better of it
        expect(page.locator("#quiz-sure")).to_be_focused()
        if i == 0:
            page.keyboard.press("Home")
            expect(page.locator("#quiz .sure output")).to_have_text("33 %")
        for _ in range(3 * i):
            page.keyboard.press("ArrowRight")
        sures.append(int(page.locator("#quiz-sure").input_value()) / 100)
        page.keyboard.press("Enter")
        expect(page.locator("#quiz .next")).to_be_focused()
        expect(page.locator("#quiz .truth")).to_have_text(f"Truth: {now.told}.")
        if i == 0:
            assert axe(page) == overflowing(page) == []
        page.keyboard.press(f"{1 + (i + 1) % 3}")  # too late
        page.keyboard.press("Enter")
    expect(page.locator("#quiz .score")).to_be_focused()
    assert max(sures) > 0.9
    played = [order[number] for number in numbers]
    scored(page, played, guesses, sures, [gallery[example.path] for example in played])
    assert axe(page) == overflowing(page) == []
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#quiz .number")).to_have_text("Picture 1 of 10")
    assert len(set(numbers)) == 11
    assert [asked for asked in page.asked if not asked.startswith((url, "data:", "blob:"))] == []


def test_a_class_by_mouse_on_a_phone_and_its_projector(browser, url, order, gallery):
    played = [order[number] for number in class_pictures("T-5", len(order))]
    verdicts = [gallery[example.path] for example in played]
    contexts = [
        browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark"),
        browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="dark"),
    ]
    with closing(contexts[0]), closing(contexts[1]):
        phone, desk = (context.new_page() for context in contexts)
        numbers, others = watch_pictures(phone), watch_pictures(desk)
        phone.goto(f"{url}?class=t-5")
        open_room(phone)
        expect(phone.locator("#quiz .class")).to_contain_text("Class T-5:")
        phone.locator("#quiz .go").click()
        for i in range(10):
            expect(phone.locator("#quiz .number")).to_have_text(f"Picture {i + 1} of 10")
            phone.locator("#quiz .guess").nth(1).click()
            if i == 0:
                assert axe(phone) == overflowing(phone) == []
            phone.locator("#quiz .settle").click()
            probs = [percent(p) for p in verdicts[i].probs.values()]
            expect(phone.locator("#quiz .probs .amount")).to_have_text(probs)
            if i == 0:
                assert overflowing(phone) == []
            phone.locator("#quiz .next").click()
        scored(phone, played, [1] * 10, [0.67] * 10, verdicts)
        assert axe(phone) == overflowing(phone) == []

        desk.goto(url)
        open_room(desk)
        desk.locator("#quiz-code").fill("t 5")
        desk.keyboard.press("Enter")
        expect(desk.locator("#quiz-code-help")).to_contain_text("1 to 20 letters")
        desk.locator("#quiz-code").fill("")
        desk.keyboard.type("T-5")
        desk.keyboard.press("Enter")
        expect(desk.locator("#quiz .go")).to_be_focused()
        assert desk.url.endswith("?class=T-5")
        desk.keyboard.press("Enter")
        desk.locator("#quiz .guess").nth(2).click()
        desk.keyboard.press("Enter")
        desk.locator("#quiz .next").click()
        expect(desk.locator("#quiz .number")).to_have_text("Picture 2 of 10")
        assert others == numbers[:2]

        desk.goto(f"{url}?class=t-5&view=projector")
        desk.locator("#quiz-room-button").click(timeout=WAIT)
        expect(desk.locator("#quiz .people")).to_contain_text("2 people have guessed")
        counts = desk.locator("#quiz .wall .amount")
        expect(counts).to_have_text(["0", "1", "1", *["0", "1", "0"] * 9])
        assert not [example.title for example in played if example.title in desk.content()]
        third = {"picture": numbers[9], "guess": 0, "class": "T-5", "visitor": "0" * 32}
        desk.request.post(f"{url}/gradio_api/run/play_guess", data={"data": [third]})
        expect(counts.nth(27)).to_have_text("1")  # by itself
        desk.locator("#quiz .reveal").click()
        expect(desk.locator("#quiz .wall p")).to_have_text([f"Truth: {example.told}" for example in played])
        expect(desk.locator("#quiz .wall .true .label")).to_have_text([NAMES[example.label] for example in played])
        assert axe(desk) == overflowing(desk) == []
        desk.set_viewport_size({"width": 390, "height": 844})
        assert overflowing(desk) == []


def test_a_failed_request_says_so_and_the_game_goes_on(page):
    open_room(page)
    page.locator("#quiz-code").focus()
    page.keyboard.type("12")
    assert page.locator("#quiz .round").is_hidden()
    page.locator("#quiz .go").click()
    page.locator("#quiz .guess").first.click()
    page.route("**/run/play_guess", lambda route: route.abort())
    page.locator("#quiz .settle").click()
    expect(page.locator("#quiz .trouble")).to_contain_text("The server does not answer")
    expect(page.locator("#quiz .again")).to_be_focused()
    page.unroute("**/run/play_guess")
    page.keyboard.press("Enter")
    expect(page.locator("#quiz .truth")).to_contain_text("Truth:")
    expect(page.locator("#quiz .trouble")).to_be_hidden()
    page.route("**/run/play_picture", lambda route: route.abort())
    page.locator("#quiz .next").click()
    expect(page.locator("#quiz .skip")).to_be_visible()
    page.unroute("**/run/play_picture")
    page.locator("#quiz .skip").click()
    expect(page.locator("#quiz .number")).to_have_text("Picture 2 of 9")


def test_few_pictures_and_a_model_that_never_comes(page):
    """The doors' answers are made up here, as they are where there is no model and the gallery is small."""
    evil, late = "<img src=x onerror=alert(1)>", [{"waiting": True}]

    def tell(answer: dict):
        return lambda route: route.fulfill(json={"data": [answer]})

    page.route("**/run/play_rounds", tell({"pictures": [0, 1]}))
    page.route("**/run/play_guess", lambda route: tell({"label": 1, "told": evil, "answer": late[0]})(route))
    open_room(page)
    page.locator("#quiz .go").click()
    for i in (1, 2):
        expect(page.locator("#quiz .number")).to_have_text(f"Picture {i} of 2")
        page.locator("#quiz .guess").nth(i).click()
        page.locator("#quiz .settle").click()
        expect(page.locator("#quiz .truth")).to_have_text(f"Truth: {evil}.")
        expect(page.locator("#quiz .model")).to_have_text(re.compile("is still warming up"))
        page.locator("#quiz .next").click()
    expect(page.locator("#quiz .score")).to_have_text("You were right in 1 of 2.")
    expect(page.locator("#quiz .late")).to_have_text(re.compile("is still warming up"))
    late[0] = {"error": "It is broken."}
    expect(page.locator("#quiz .late")).to_have_text("It is broken.")
    assert page.locator("#quiz .why").is_hidden()
    assert page.locator("#quiz img[onerror]").count() == 0
