"""Many pictures: given by drop, folder or zip, judged as alone, stopped and gone on with, sorted, opened, saved."""

import csv
import json
import shutil
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from detector.output.as_csv import CSV_FIELDS
from detector.verdict import SIDES
from tests.browser import WAIT, answered, axe, drag, overflowing, percent
from tests.conftest import EXAMPLES
from ui.many import rates

NAMES = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "dalle_3.webp", "flux_3.webp")


@pytest.fixture(scope="module")
def pile(tmp_path_factory) -> Path:
    """Six pictures, in a folder in a folder, a bad one, and what is no picture."""
    folder = tmp_path_factory.mktemp("pile") / "pile"
    (folder / "in").mkdir(parents=True)
    for name in NAMES:
        shutil.copy(EXAMPLES / name, folder / "in" / name)
    (folder / "bad.jpg").write_bytes(b"bad")
    (folder / "notes.txt").write_text("notes")
    (folder / ".hidden.png").write_text("hidden")
    return folder


@pytest.fixture(scope="module")
def verdicts(bundled) -> dict:
    return dict(zip(NAMES, bundled.predict([EXAMPLES / name for name in NAMES]), strict=True))


def open_room(page: Page) -> None:
    page.get_by_role("tab", name="Many pictures").click()
    expect(page.locator("#many .files")).to_be_visible(timeout=WAIT)


def done(page: Page, words: str) -> None:
    expect(page.locator("#many .said")).to_have_text(words, timeout=WAIT)
    expect(page.locator("#many .running")).to_be_hidden()


def sums(verdicts: dict, bad: int = 0) -> str:
    ai = sum(verdict.side == "ai" for verdict in verdicts.values())
    n, human = len(verdicts) + bad, len(verdicts) - ai
    rest = f"; {bad} not judged" if bad else ""
    return f"{n} pictures: {ai} called AI-generated, {human} called human-made{rest}."


def rows(page: Page) -> dict[str, str]:
    """Name -> answer, in the order in which they stand."""
    texts = page.locator("#many .row").evaluate_all(
        "all => all.map((row) => [row.querySelector('.name').textContent, row.querySelector('.answer').innerText])"
    )
    return {name: " ".join(answer.split()) for name, answer in texts}


def test_a_folder_dropped_on_check_is_judged_as_each_picture_alone(page, pile, verdicts, tmp_path):
    drag(page, "#image", pile)
    done(page, sums(verdicts, bad=1))
    found = rows(page)
    assert {Path(name).name: answer for name, answer in found.items() if "bad" not in name} == {
        name: f"{page_words(verdict)} AI {percent(verdict.p_ai)}" for name, verdict in verdicts.items()
    }
    assert "bad.jpg is not an image" in found["pile/bad.jpg"]
    expect(page.locator("#many .left-out")).to_contain_text("1 left out")

    page.locator("#many .order").select_option(label="most AI-like first")
    by_p = sorted(verdicts, key=lambda name: -verdicts[name].p_ai)
    assert [Path(name).name for name in rows(page)] == [*by_p, "bad.jpg"]
    page.locator("#many .order").select_option(label="most doubtful first")
    by_doubt = sorted(verdicts, key=lambda name: abs(verdicts[name].p_ai - 0.5))
    assert [Path(name).name for name in rows(page)] == [*by_doubt, "bad.jpg"]
    humans = {name for name, verdict in verdicts.items() if verdict.side == "human"}
    page.locator("#many .filter").select_option(label=f"called human-made ({len(humans)})")
    assert {Path(name).name for name in rows(page)} == humans

    with page.expect_download() as csv_file:
        page.get_by_role("button", name="Save as CSV").click()
    with open(csv_file.value.path(), newline="", encoding="utf-8") as file:  # noqa: PTH123
        table = list(csv.DictReader(file))
    assert tuple(table[0]) == CSV_FIELDS
    assert {Path(row["file"]).name: row["p_ai"] for row in table if row["p_ai"]} == {
        name: str(round(verdict.p_ai, 4)) for name, verdict in verdicts.items()
    }
    with page.expect_download() as json_file:
        page.get_by_role("button", name="Save as JSON").click()
    lines = [json.loads(line) for line in Path(json_file.value.path()).read_text("utf-8").splitlines()]
    assert {Path(line["file"]).name for line in lines} == {*NAMES, "bad.jpg"}

    page.locator("#many .row", has_text="rocket.jpg").click()
    answered(page, verdicts["rocket.jpg"], "rocket.jpg")
    expect(page.get_by_role("tab", name="Check")).to_have_attribute("aria-selected", "true")
    page.get_by_role("tab", name="Many pictures").click()
    assert len(rows(page)) == len(humans)


def page_words(verdict) -> str:
    words = {"very likely": "Very likely", "likely": "Probably", "leans": "Too close to call, tilts to"}
    return f"{words[verdict.band]} {SIDES[verdict.side]}"


def test_a_zip_and_several_pictures_at_a_time(page, pile, verdicts, tmp_path):
    path = tmp_path / "pile.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.write(EXAMPLES / "chelsea.png", "in/chelsea.png")
        file.writestr("../evil.png", b"x")
    open_room(page)
    drag(page, "#many .files", path)
    done(page, "1 picture: 0 called AI-generated, 1 called human-made.")
    page.locator("#many .left-out summary").click()
    expect(page.locator("#many .left-out li")).to_have_text(
        "../evil.png has a name that leads out of the zip; rename it."
    )
    drag(page, "#many .files", pile / "in" / "rocket.jpg", pile / "in" / "dalle_3.webp")
    done(page, sums({name: verdicts[name] for name in ("chelsea.png", "rocket.jpg", "dalle_3.webp")}))
    page.locator("#many .row", has_text="in/chelsea.png").click()  # its file is on the server alone
    answered(page, verdicts["chelsea.png"], "in/chelsea.png")
    (tmp_path / "broken.zip").write_bytes(b"broken")
    page.get_by_role("tab", name="Many pictures").click()
    drag(page, "#many .files", tmp_path / "broken.zip")
    expect(page.locator("#many .said")).to_contain_text("broken.zip is damaged or is no zip", timeout=WAIT)
    assert len(rows(page)) == 3


def test_stopped_gone_on_with_and_a_server_that_is_gone_lose_nothing(page, verdicts, tmp_path):
    """Of two questions of eight pictures that are out when it is stopped, the answers are kept."""
    open_room(page)
    held: list[Route] = []
    page.route("**/run/many_judge", lambda route: held.append(route))
    given = [EXAMPLES / name for name in NAMES] * 4
    copies = [{"name": f"{i}-{path.name}", "mimeType": "", "buffer": path.read_bytes()} for i, path in enumerate(given)]
    page.set_input_files("#many .pick-files", copies)
    while len(held) < 2:
        page.wait_for_timeout(50)
    page.get_by_role("button", name="Stop").click()
    for route in held:
        route.continue_()
    expect(page.get_by_role("button", name="Go on")).to_be_visible(timeout=WAIT)
    assert len(held) == 2
    assert len(rows(page)) == 16
    page.unroute("**/run/many_judge")

    for pattern in ("**/upload", "**/app_id"):
        page.route(pattern, lambda route: route.abort())
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("#many .said")).to_contain_text("The server does not answer", timeout=WAIT)
    assert len(rows(page)) == 16
    for pattern in ("**/upload", "**/app_id"):
        page.unroute(pattern)
        page.route(pattern, lambda route: route.fulfill(status=502, body="Bad gateway"))  # a proxy's
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("#many .said")).to_contain_text("The server does not answer", timeout=WAIT)
    assert len(rows(page)) == 16
    for pattern in ("**/upload", "**/app_id"):
        page.unroute(pattern)
    page.get_by_role("button", name="Go on").click()
    done(page, sums({str(i): verdicts[path.name] for i, path in enumerate(given)}))
    page.get_by_role("button", name="Start anew").click()
    assert rows(page) == {}
    expect(page.locator("#many .files")).to_be_focused()
    with zipfile.ZipFile(tmp_path / "pile.zip", "w") as file:
        file.write(EXAMPLES / "coffee.png", "coffee.png")
    page.set_input_files("#many .pick-files", tmp_path / "pile.zip")
    done(page, sums({"coffee.png": verdicts["coffee.png"]}).replace("1 pictures", "1 picture"))
    page.complaints.clear()  # of the requests that were broken off


def test_by_keyboard_on_a_phone_in_the_dark(browser, url, bundled):
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark")
    page = context.new_page()
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(url)
    page.get_by_role("tab", name="Check").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    files = page.locator("#many .files")
    expect(files).to_be_visible(timeout=WAIT)
    with page.expect_file_chooser() as chooser:
        files.press("Enter")
    page.locator("#many .steady").check()
    chooser.value.set_files([EXAMPLES / "chelsea.png", EXAMPLES / "coffee.png"])
    expect(page.locator("#many .said")).to_contain_text("2 pictures", timeout=WAIT)
    for held in page.locator("#many .row .file").all():
        expect(held).to_contain_text("of 13")
    expect(page.locator("#many .pile input")).to_be_visible(timeout=WAIT)  # the rates have come
    expect(page.locator("#many .pile")).to_contain_text("If 10 %")
    page.locator("#many .pile input").focus()
    page.keyboard.press("ArrowRight")
    right = rates(bundled.config)[0]["right"][11]
    expect(page.locator("#many .pile li").first).to_contain_text(f"about {right} are AI-made, and {100 - right} human")
    for width in (390, 1440):
        page.set_viewport_size({"width": width, "height": 844})
        assert overflowing(page) == []
        assert axe(page) == []
    row = page.locator("#many .row", has_text="coffee.png")
    row.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#image .view")).to_have_attribute("aria-label", "coffee.png, under the map of what speaks for "
                                                           + bundled_name(bundled), timeout=WAIT)  # fmt: skip
    assert [asked for asked in page.asked if not asked.startswith((url, "data:", "blob:"))] == []
    context.close()


def bundled_name(bundled) -> str:
    from detector.verdict import NAMES as CLASS_NAMES

    (verdict,) = bundled.predict([EXAMPLES / "coffee.png"])
    return CLASS_NAMES[verdict.label]
