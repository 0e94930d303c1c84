"""What the file says, as the page, the command and the API tell it."""

import csv
import json
import subprocess
import sys
from functools import partial

import pytest
from axe_playwright_python.sync_playwright import Axe
from gradio_client import Client, handle_file
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import expect

from detector import provenance
from detector.__main__ import main
from detector.output.as_json import origin_to_json
from detector.provenance.makers import RULES
from tests import forked
from tests.browser import WAIT, answered, give
from tests.conftest import EXAMPLES
from tests.running import NO_HUB
from tests.signing import CAPTURED, Signer, created
from tests.test_project import ROOT

PROMPT = "a <b>quiet</b> street\nSteps: 20, Sampler: Euler a, Seed: 1"
command = partial(forked.run, "detector", HF_ENDPOINT=NO_HUB)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """One picture in five files: with a prompt, without a word, and with signatures that say different things."""
    folder = tmp_path_factory.mktemp("said")
    info = PngInfo()
    info.add_text("parameters", PROMPT)
    with Image.open(EXAMPLES / "chelsea.png") as image:
        cat = image.convert("RGB")
    cat.save(folder / "prompt.png", pnginfo=info)
    cat.save(folder / "silent.jpg", quality=95)
    data, signer = (folder / "silent.jpg").read_bytes(), Signer("Maker <i>")
    (folder / "captured.jpg").write_bytes(signer.sign(data, "image/jpeg", created(CAPTURED, ""), "Camera"))
    (folder / "generated.jpg").write_bytes(signed := signer.sign(data, "image/jpeg", created()))
    (folder / "tampered.jpg").write_bytes(signed[:-50] + bytes([signed[-50] ^ 1]) + signed[-49:])
    return folder


def test_what_the_file_says_is_folded_and_disagreement_comes_first(page, bundled, files):
    origin, disagrees = page.locator("#answer .origin"), page.locator("#answer .disagrees")
    (verdict,) = bundled.predict([files / "prompt.png"])
    assert verdict.side == "human"
    give(page, files / "prompt.png")
    answered(page, verdict, "prompt.png")
    claim = "holds what Stable Diffusion web UI writes into its pictures"
    expect(disagrees).to_have_text(f"The file and its pixels disagree: the file {claim}.")
    assert page.locator("#answer .verdict").inner_text().startswith("The file and its pixels disagree")
    expect(origin.locator("> summary")).to_have_text("File says: made by AI (claimed, not proven)")
    expect(origin.get_by_text(claim)).not_to_be_visible()
    origin.locator("> summary").focus()
    page.keyboard.press("Enter")
    expect(origin.get_by_text(claim)).to_be_visible()
    expect(origin.locator(".where")).to_have_text("PNG text parameters: claimed, not proven")
    text = origin.locator("pre")
    expect(text).not_to_be_visible()  # a prompt is private: on demand only
    origin.locator("details summary").click()
    expect(text).to_have_text(PROMPT)
    expect(origin.locator("b, i")).to_have_count(0)
    assert Axe().run(page).response["violations"] == []


def test_each_file_has_its_own_line(page, bundled, files):
    origin, disagrees = page.locator("#answer .origin"), page.locator("#answer .disagrees")
    for name, line, first in (
        ("generated.jpg", "made by AI (claimed, not proven)", "The file and its pixels disagree"),
        ("silent.jpg", "nothing (usual)", ""),
        ("captured.jpg", "taken by a camera (claimed, not proven)", ""),
        ("tampered.jpg", "changed after it was signed", ""),
    ):
        give(page, files / name)
        answered(page, bundled.predict([files / name])[0], name)
        expect(origin.locator("> summary")).to_have_text(f"File says: {line}")
        assert disagrees.inner_text().startswith(first)
        assert bool(disagrees.inner_text()) == bool(first)
        expect(origin.locator("i")).to_have_count(0)
    give(page, {"name": "letter.png", "mimeType": "image/png", "buffer": b"Dear diary"})
    expect(page.locator("#answer .who")).to_have_text("No answer", timeout=WAIT)
    expect(origin).not_to_be_visible()


def test_where_there_is_nothing_to_judge_the_file_may_still_speak(page, tmp_path):
    info = PngInfo()
    info.add_text("Software", "NovelAI")
    Image.new("RGB", (300, 200), (9, 90, 200)).save(tmp_path / "plain.png", pnginfo=info)
    give(page, tmp_path / "plain.png")
    expect(page.locator("#answer .who")).to_have_text("Nothing to judge", timeout=WAIT)
    expect(page.locator("#answer .origin > summary")).to_have_text("File says: made by AI (claimed, not proven)")


def test_api_tells_it_without_the_prompt(url, files):
    found = Client(url, verbose=False).predict(handle_file(str(files / "prompt.png")), api_name="/predict")
    assert found["provenance"] == origin_to_json(provenance.read(files / "prompt.png"))
    assert "quiet" not in json.dumps(found)


def test_command_asks_no_model(files, tmp_path):
    done = command("--provenance", "--json", files, tmp_path / "none.jpg")
    lines = {line["file"].rpartition("/")[2]: line for line in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 1
    assert {name: line.get("c2pa") for name, line in lines.items()} == {
        "captured.jpg": "unknown_signer", "generated.jpg": "unknown_signer", "prompt.png": "none",
        "silent.jpg": "none", "tampered.jpg": "tampered", "none.jpg": None,
    }  # fmt: skip
    assert lines["none.jpg"] == {
        "file": str(tmp_path / "none.jpg"),
        "error": "none.jpg does not exist; check the path.",
    }
    assert lines["silent.jpg"]["findings"] == []
    (finding,) = lines["prompt.png"]["findings"]
    assert finding == {
        "where": "PNG text parameters", "says": "holds what Stable Diffusion web UI writes into its pictures",
        "maker": "Stable Diffusion web UI", "kind": "generated", "strength": "claimed",
    }  # fmt: skip
    table = command("--provenance", files).stdout.splitlines()
    assert len(table) == 5
    assert any(line.endswith("silent.jpg     nothing (usual, and evidence of nothing)") for line in table)


def test_command_loads_no_torch(files):
    code = (
        "import sys; from detector.__main__ import main; "
        f"code = main(['--provenance', {str(files / 'generated.jpg')!r}]); print('torch' in sys.modules, code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "False 0"


def test_answers_carry_it_too(files, tmp_path, capsys):
    arguments = [str(files / "prompt.png"), str(files / "silent.jpg"), "--model", "bundled"]
    assert main([*arguments, "--csv", str(tmp_path / "all.csv")]) == 0
    first, second = capsys.readouterr().out.splitlines()[1:]
    assert first.endswith("  the file holds what Stable Diffusion web UI writes into its pictures")
    assert "the file" not in second
    with (tmp_path / "all.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["c2pa"], row["file_says"]) for row in rows] == [
        ("none", "holds what Stable Diffusion web UI writes into its pictures"), ("none", ""),
    ]  # fmt: skip
    assert main([*arguments, "--json"]) == 0
    told = [json.loads(line)["provenance"] for line in capsys.readouterr().out.splitlines()]
    assert told == [origin_to_json(provenance.read(files / name)) for name in ("prompt.png", "silent.jpg")]


@pytest.mark.parametrize("other", [["--csv", "a.csv"], ["--maps", "maps"]])
def test_nothing_that_needs_a_model_goes_with_it(other, capsys):
    with pytest.raises(SystemExit):
        main(["--provenance", *other, str(EXAMPLES / "rocket.jpg")])
    assert "--provenance asks no model" in capsys.readouterr().err


def test_every_maker_is_documented():
    told = (ROOT / "docs" / "provenance.md").read_text("utf-8")
    assert [rule.maker for rule in RULES if rule.maker not in told and "{" not in rule.maker] == []
