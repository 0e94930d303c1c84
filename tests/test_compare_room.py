"""The tab Compare, with a model beside the bundled one."""

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

from detector.checkpoint import Config, save_checkpoint
from detector.compare import compare, load_pair
from tests.browser import WAIT, axe, give, overflowing, percent
from tests.client import Page as Client
from tests.client import Refused
from tests.conftest import EXAMPLES
from tests.running import NO_HUB, running_app
from ui.gallery import bundled_examples, folder_examples
from ui.shared import NO_QUESTION

CAT, COFFEE = EXAMPLES / "chelsea.png", EXAMPLES / "coffee.png"


@pytest.fixture(scope="module")
def other(tmp_path_factory, published) -> str:
    """Another model, that nobody measured."""
    folder = tmp_path_factory.mktemp("other") / "mine"
    save_checkpoint(folder, published, Config(temperature=2.0))
    return str(folder)


@pytest.fixture(scope="module")
def gallery(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("gallery")
    for i, example in enumerate(bundled_examples()[::6]):
        (folder / example.label).mkdir(exist_ok=True)
        shutil.copy(example.path, folder / example.label / f"title{i}{example.path.suffix}")
    return folder


@pytest.fixture(scope="module")
def address(tmp_path_factory, other, gallery):
    folder = tmp_path_factory.mktemp("compare")
    arguments = ("--model", "bundled", "--precision", "fp32", "--compare-with", other, "--examples", str(gallery))
    with running_app(folder, NO_HUB, *arguments) as found:
        yield found


def says(page, verdict, second) -> None:
    expected = [percent(p) for one in (verdict, second) for p in one.probs.values()]
    expect(page.locator("#compare .percent")).to_have_text(expected, timeout=WAIT)


def test_the_picture_of_check_then_another_then_the_gallery(browser, address, other, gallery):
    pair = load_pair("bundled", other, "fp32")
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark")
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    give(page, CAT)
    expect(page.locator("#image .viewer")).to_have_class("viewer answered", timeout=WAIT)
    tab = page.get_by_role("tab", name="Compare")
    tab.focus()
    page.keyboard.press("Enter")
    page.locator("#compare .b").select_option("hub", timeout=WAIT)
    expect(page.locator("#compare .said")).to_contain_text("The Hub could not be reached", timeout=WAIT)
    expect(page.locator("#compare .sides")).to_be_hidden()
    page.locator("#compare .b").select_option(other)
    for picture in (CAT, COFFEE):
        (verdict,) = pair.predict([picture])
        says(page, verdict, verdict.second)
        expect(page.locator("#compare .side h2")).to_have_text([pair.name, pair.second.name])
        expect(page.locator("#compare .sure").nth(1)).to_contain_text("Nobody has measured")
        same = "both lean the same way" if verdict.side == verdict.second.side else "they disagree"
        expect(page.locator("#compare .said")).to_contain_text(same)
        if picture == CAT:
            page.set_input_files("#compare input[type=file]", COFFEE)
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 844})
        assert overflowing(page) == []
        assert axe(page) == []
    assert "title" not in page.locator("#compare").inner_text()  # whose they are is told on demand
    page.get_by_role("button", name="Compare on the gallery").click()
    found = compare(pair, [(example.path, example.label) for example in folder_examples(gallery)])
    counted = page.locator("#compare .counted")
    expect(counted).to_contain_text(
        f"They agree on {len(found.pictures) - len(found.differ)} of {len(found.pictures)} pictures.", timeout=WAIT
    )
    expect(counted).to_contain_text(f"names {found.right[0]} rightly, B ({pair.second.name}) {found.right[1]}.")
    expect(counted.locator("li")).to_have_count(len(found.differ))
    assert axe(page) == []
    page.set_input_files("#compare input[type=file]", {"name": "x.txt", "mimeType": "", "buffer": b"Dear diary"})
    expect(page.locator("#compare .said")).to_contain_text("is not an image", timeout=WAIT)
    expect(page.locator("#compare .sides")).to_be_hidden()
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
    context.close()


def test_all_six_maps_are_on_one_scale(browser, address, other):
    """The brightest pixel of the weaker model's maps is as much darker as its strongest cell is weaker."""
    (verdict,) = load_pair("bundled", other, "fp32").predict([CAT])
    peaks = [abs(one.maps.cam).max() for one in (verdict, verdict.second)]
    page = browser.new_page()
    page.goto(address)
    page.get_by_role("tab", name="Compare").click()
    page.locator("#compare .b").select_option(other, timeout=WAIT)
    page.set_input_files("#compare input[type=file]", CAT)
    says(page, verdict, verdict.second)
    coloured = """all => all.map((canvas) => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const spread = (i) => Math.max(...data.slice(i, i + 3)) - Math.min(...data.slice(i, i + 3));
        let most = 0;
        for (let i = 0; i < data.length; i += 16) most = Math.max(most, spread(i));
        return most; })"""
    colours = page.locator("#compare canvas").evaluate_all(coloured)
    strong, weak = (0, 1) if peaks[0] > peaks[1] else (1, 0)
    of = [max(colours[:3]), max(colours[3:])]
    assert peaks[strong] > 1.5 * peaks[weak]
    assert of[strong] > 1.1 * of[weak]
    page.close()


@pytest.mark.parametrize("question", [
    {"a": "bundled", "b": "/etc", "example": 0}, {"a": "bundled", "b": "somebody/model", "example": 0},
    {"a": "bundled", "b": "bundled", "example": 999}, {"a": "bundled", "b": "bundled", "example": -1},
    {"a": "bundled", "b": "bundled", "example": "0"}, {"a": "bundled", "b": "bundled"}, {"example": 0}, [],
])  # fmt: skip
def test_no_visitor_names_another_model_or_file(address, question):
    client = Client(int(address.rpartition(":")[2]))
    with pytest.raises(Refused) as refused:
        client.door("compare_picture", question)
    assert NO_QUESTION in str(refused.value)
