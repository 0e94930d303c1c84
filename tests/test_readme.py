"""What the pages say: short, with links that lead somewhere, every option named, every figure the one measured."""

import json
import re
import urllib.request
from pathlib import Path

import pytest

from benchmarks import maps, peers, steady
from benchmarks.breadth import page as breadth_page
from tests import forked

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = [
    *(ROOT / name for name in ("README.md", "DEPLOY.md", "SECURITY.md", "train/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "benchmarks" / "README.md"], ids=lambda path: str(path.relative_to(ROOT))
)
def test_what_a_page_links_to_is_there(page):
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_readme_is_short():
    assert len(README.splitlines()) < 150


def test_readme_shows_what_the_command_prints(capsys, monkeypatch):
    """To a point of a percentage, which is what another processor's arithmetic may differ by."""
    from detector.__main__ import main

    monkeypatch.chdir(ROOT)
    figure = re.compile(r"\d+(?:\.\d+)?(?=%)|(?<=: )\d\.\d+")
    for shown in re.findall(r"^\$ detector (.+)\n((?:[^$`].*\n)+)", README, re.M):
        assert main(shown[0].split()) == 0
        printed = capsys.readouterr().out
        assert figure.sub("", printed).split() == figure.sub("", shown[1]).split()
        per_point = 100 if "--json" in shown[0] else 1
        pairs = zip(figure.findall(printed), figure.findall(shown[1]), strict=True)
        assert max(abs(float(a) - float(b)) * per_point for a, b in pairs) <= 1


@pytest.mark.parametrize(
    "command",
    [
        ["app"],
        ["bulk"],
        ["detector"],
        ["detector", "compare"],
        ["train"],
        ["train", "evaluate"],
        ["train", "push"],
        ["experiments.bundled.collect"],
    ],
    ids=" ".join,
)
def test_every_option_is_documented(command):
    done = forked.run(*command, "--help")
    assert done.returncode == 0, done.stderr
    options = set(re.findall(r"--[a-z-]+", done.stdout)) - {"--help"}
    assert options or command[-1] in ("push", "experiments.bundled.collect")  # these two take no options
    documented = set(re.findall(r"--[a-z-]+", "".join(page.read_text("utf-8") for page in PAGES)))
    assert options - documented == set()


def test_every_room_and_endpoint_is_documented(url):
    with urllib.request.urlopen(f"{url}/config") as answer:
        config = json.load(answer)
    rooms = [part["props"]["label"] for part in config["components"] if part["type"] == "tabitem"]
    public = [event["api_name"] for event in config["dependencies"] if event["api_visibility"] == "public"]
    assert rooms[0] == "Check"
    assert [room for room in rooms if f"\n| {room} | " not in README] == []
    assert "predict" in public
    pages = README + (ROOT / "docs" / "api.md").read_text("utf-8")
    assert [name for name in public if f"`/{name}`" not in README or f'api_name="/{name}"' not in pages] == []


def test_readme_quotes_the_benchmarks():
    """Every ratio that is boasted of is the one that benchmarks/results.json holds."""
    found = json.loads((ROOT / "benchmarks" / "results.json").read_text())
    speed = (ROOT / "benchmarks" / "README.md").read_text("utf-8")
    share = "share of the bare forward's rate"
    latency, throughput, start, memory = (found[name] for name in ("latency", "throughput", "start", "memory"))
    quoted = [
        f"grad-cam for each class: {latency['what people write / ours']:.1f} x",
        f"Ours is {latency['ours / bare fp32']:.2f} x",
        f"{throughput['images/s']:.1f} images/s | {throughput[share]:.2f} of",
        f"`transformers`: {throughput['transformers / ours']:.1f} x",
        f"{start['page / imports']:.2f} x; {start['answer / imports']:.2f} x the import",
        f"{memory['page, MB'][1]:,} MB; {memory['page, MB'][-1]:,} MB",
    ]
    for engine, row in found["engines"]["answers"].items():
        quoted.append(f"{row['largest difference']:.3f} | {row['flips']:.1%} |")
        assert f"| {engine} |" in speed
    seconds = found["spinning"]["seconds"]
    work = list(dict.fromkeys(title.rpartition(", ")[0] for title in seconds))
    for setting in seconds["one image, idle"]:
        idle, busy = ([seconds[f"{w}, {load}"][setting]["median"] for w in work] for load in ("idle", "busy"))
        quoted.append(" | ".join(f"{a * 1000:,.0f} / {b * 1000:,.0f}" for a, b in zip(idle, busy, strict=True)))
    assert [figure for figure in quoted if figure not in speed] == []
    ours = latency["seconds"]["ours, bytes to six maps and three overlays"]["median"]
    assert f"{ours * 1000:.0f} ms from the bytes" in README
    steadiness = (ROOT / "docs" / "steadiness.md").read_text("utf-8")
    assert steady.as_table(found["steady"]) in steadiness
    assert maps.as_table(found["maps"]) in steadiness
    assert peers.as_table(found["peers"]) in speed
    after = found["closer"]["all of it after the answer, s"]
    assert f"{after:.1f} s after the answer" in speed
    ours, peer = found["peers"]["detectors"].values()
    assert f"ranks {peer['AUROC']:.0%} of the test's pairs".replace("%", " %") in " ".join(README.split())
    assert f"rightly, this model {ours['AUROC']:.0%};".replace("%", " %") in " ".join(README.split())
    breadth = found["breadth"]
    assert (ROOT / "docs" / "generators.md").read_text("utf-8") == breadth_page(breadth)
    assert f"of {breadth['n']} pictures by generators" in README
    assert f"it calls {breadth['caught']} AI" in README
