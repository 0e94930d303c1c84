"""--report: a page that stands alone, its figures against the library's, and whether it lets anything in or out."""

import hashlib
import json
import re
import shutil
from dataclasses import replace

import pytest
from PIL import Image
from playwright.sync_api import expect

from detector.__main__ import main
from detector.checkpoint import BUNDLED
from detector.mapcheck import check_map
from detector.output.report import MARK
from detector.stress import SIDE, steadiness
from tests import marks
from tests.browser import WAIT, answered, give
from tests.conftest import EXAMPLES

NAME = "<img src=x onerror=alert(1)> & “\u202egnp.exe”.png"
CLAIM = "a cat</td><script>alert(2)</script>\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Model: <b>bold</b>"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of the reports, of an honest picture, a hostile one, and one with nothing to judge."""
    folder = tmp_path_factory.mktemp("pictures")
    shutil.copy(EXAMPLES / "dalle_2.webp", folder)
    with Image.open(EXAMPLES / "coffee.png") as image:
        (folder / NAME).write_bytes(marks.saved(image, "PNG", pnginfo=marks.texts_of(parameters=CLAIM)))
    Image.new("RGB", (300, 300), "red").save(folder / "plain.png")
    out = folder / "out"
    known = folder / "known" / "human"
    known.mkdir(parents=True)
    shutil.copy(EXAMPLES / "chelsea.png", known)
    names = [str(folder / name) for name in ("dalle_2.webp", NAME, "plain.png")]
    options = ["--model", "bundled", "--precision", "fp32", "--json", "--nearest", str(folder / "known")]
    assert main([*names, *options, "--report", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def opened(made, browser):
    """A report's name -> its page, and what it asked for and ran."""
    context = browser.new_context(viewport={"width": 390, "height": 800})
    page = context.new_page()
    asked, ran = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: (ran.append(dialog.message), dialog.dismiss()))

    def open_(name):
        asked.clear()
        page.goto((made / f"{name}.html").as_uri())
        return page, [url for url in asked if not url.startswith("data:image/jpeg;base64,")], ran

    yield open_
    context.close()


def test_it_says_what_the_library_says(made, opened, bundled):
    page, _, _ = opened("dalle_2.webp")
    image = bundled.prepare(EXAMPLES / "dalle_2.webp", SIDE)
    (verdict,) = bundled.classify([image])
    steady = steadiness(bundled, image.image, verdict)
    assert page.locator("h1").inner_text() == verdict.sentence_as(steady.word(verdict.band))
    shown = [float(text.rstrip("%")) for text in page.locator("td.p").all_inner_texts()]
    assert shown == pytest.approx([100 * p for p in verdict.probs.values()], abs=0.051)
    body = page.locator("body").inner_text()
    assert f"In {steady.held} of {steady.of} deliveries" in body
    for name, one in steady.verdicts.items():
        assert re.search(rf"^{re.escape(name)}: .*P\(AI\) {100 * one.p_ai:.0f}%", body, re.M)
    # What is filled in has noise: the sentence is that of the same JSON, whose numbers are near the library's.
    told = json.loads((made / "dalle_2.webp.json").read_text("utf-8"))["map_check"]
    checked = check_map(bundled, image.x, verdict)
    assert [told["most"], *told["random"]] == pytest.approx([checked.most, *checked.random], abs=0.01)
    drawn = replace(checked, most=told["most"], least=told["least"], random=tuple(told["random"]))
    assert drawn.sentence in body
    assert "chelsea.png: Human" in body


def test_it_can_be_checked(made, capsys):
    picture = made.parent / "dalle_2.webp"
    found = json.loads((made / "dalle_2.webp.json").read_text("utf-8"))
    assert main([str(picture), "--model", "bundled", "--precision", "fp32", "--steady", "--json"]) == 0
    plain = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {key: found[key] for key in plain if key != "file"} == {key: plain[key] for key in plain if key != "file"}
    assert found["file"] == "dalle_2.webp"
    assert found["nearest"][0]["file"] == "chelsea.png"
    assert {"nearest", "map_check"} <= set(found)
    facts = found["report"]
    assert facts["file_sha256"] == hashlib.sha256(picture.read_bytes()).hexdigest()
    assert facts["weights_sha256"] == hashlib.sha256((BUNDLED / "model.safetensors").read_bytes()).hexdigest()
    page = (made / "dalle_2.webp.html").read_text("utf-8")
    assert [key for key in ("file_sha256", "weights_sha256", "made") if facts[key] not in page] == []
    assert str(made.parent) not in page + json.dumps(found)  # where it lies is nobody's business


def test_names_and_claims_are_text(made, opened):
    page, asked, ran = opened(NAME)
    assert ran == []
    assert asked == [(made / f"{NAME}.html").as_uri()]  # itself; nothing else
    body = page.locator("body").inner_text()
    assert "<img src=x onerror=alert(1)> & “\\u202egnp.exe”.png" in body
    assert "\u202e" not in body
    assert page.locator("script, b").count() == 0
    assert "Stable Diffusion" in body
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_script_would_not_run_even_if_it_got_in(made, browser, tmp_path):
    text = (made / "plain.png.html").read_text("utf-8")
    (tmp_path / "in.html").write_text(text.replace("<main>", "<main><script>document.title = 'ran'</script>"), "utf-8")
    page = browser.new_page()
    page.goto((tmp_path / "in.html").as_uri())
    assert page.title().endswith("plain.png: AI-made or human-made?")
    page.close()


def test_nothing_to_judge_is_said(opened):
    page, _, _ = opened("plain.png")
    assert page.locator("h1").inner_text().startswith("There is nothing to judge")
    assert "What the file says" in page.locator("body").inner_text()
    assert page.locator("td.p").count() == 0


def test_it_prints_on_two_pages(opened):
    page, _, _ = opened("dalle_2.webp")
    assert len(re.findall(rb"/Type /Page\b", page.pdf(prefer_css_page_size=True))) == 2


def test_it_replaces_reports_and_nothing_else(made, tmp_path, capsys):
    picture = str(made.parent / "plain.png")
    out = tmp_path / "out"
    for _ in range(2):  # the second time over its own
        assert main([picture, "--model", "bundled", "--report", str(out)]) == 0
    for name in ("plain.png.html", "plain.png.json"):
        foreign = tmp_path / name
        foreign.mkdir()
        (foreign / name).write_text("mine")
        if name.endswith("json"):  # as another program's notes beside a report of ours
            shutil.copy(out / "plain.png.html", foreign)
        assert main([picture, "--model", "bundled", "--report", str(foreign), "--json"]) == 1
        assert "is no report of this program" in json.loads(capsys.readouterr().out.splitlines()[-1])["error"]
        assert (foreign / name).read_text() == "mine"
    assert MARK in (out / "plain.png.html").read_text("utf-8")


def test_the_page_hands_it_over(page, bundled, tmp_path):
    """One click; what comes is what the command writes, with the gallery's pictures that look alike."""
    cat = EXAMPLES / "chelsea.png"
    (verdict,) = bundled.predict([cat])
    give(page, cat)
    answered(page, verdict, cat.name)
    with page.expect_download(timeout=WAIT) as coming:
        page.get_by_role("button", name="Save a report").click()
    assert coming.value.suggested_filename.endswith(".html")
    coming.value.save_as(tmp_path / "cat.html")
    text = (tmp_path / "cat.html").read_text("utf-8")
    assert MARK in text
    assert hashlib.sha256(cat.read_bytes()).hexdigest() in text
    report = page.context.new_page()
    report.goto((tmp_path / "cat.html").as_uri())
    assert report.locator("h1").inner_text() == verdict.sentence
    assert "Looks to the model like" in report.locator("body").inner_text()
    report.close()
    expect(page.locator("#image .handed")).to_have_text("")


def test_a_report_of_what_is_gone_is_a_sentence(page, bundled):
    cat = EXAMPLES / "chelsea.png"
    give(page, cat)
    answered(page, bundled.predict([cat])[0], cat.name)

    def lost(route) -> None:
        answer = route.fetch()
        if "report" in answer.json()["data"][0]:
            return route.fulfill(status=500, json={"error": None})
        return route.fulfill(response=answer)

    page.route(re.compile("/gradio_api/run/"), lost)
    page.get_by_role("button", name="Save a report").click()
    expect(page.locator("#image .handed")).to_contain_text("no longer has this picture", timeout=WAIT)
