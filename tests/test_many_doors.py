"""What the doors of Many pictures answer to anybody, and what the slider counts."""

import os
import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from detector.serving import Service
from tests.client import Page as Client
from tests.client import Refused
from tests.conftest import EXAMPLES
from tests.test_archive import zip_of
from ui.many import judge, rates, unpacked
from ui.shared import GONE, NO_QUESTION


@pytest.mark.parametrize("question", [
    {"files": [{"name": "x", "path": "/etc/passwd"}]},
    {"files": [{"name": "x"}]}, {"files": 3}, {}, [], "x", None,
])  # fmt: skip
def test_what_is_no_upload_is_not_opened(url, question):
    client = Client(int(url.rpartition(":")[2]))
    for name in ("many_judge", "many_unpack"):
        with pytest.raises(Refused, match="500") as refused:
            client.door(name, question)
        assert NO_QUESTION in str(refused.value) or GONE in str(refused.value)


def test_no_door_fetches_an_address(url):
    """Gradio would, for whatever is marked as a file in JSON."""
    client = Client(int(url.rpartition(":")[2]))
    doors = [event["api_name"] for event in client.config["dependencies"] if event["api_visibility"] == "undocumented"]
    assert len(doors) >= 10
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        marked = {"path": f"http://127.0.0.1:{server.getsockname()[1]}/a.png", "meta": {"_type": "gradio.FileData"}}
        for name in doors:
            for question in (marked, {"files": [marked]}):
                with pytest.raises(Refused, match="Addresses are not fetched"):
                    client.door(name, question)
        with pytest.raises(TimeoutError):
            server.accept()


def test_how_many_flags_are_right(bundled):
    """Bayes by counting: a pile of 10,000 pictures, a share of them AI-made, each called AI as often as the test's."""
    answers = bundled.config.metrics["test"]["degraded"]["ai_vs_human"]["answers"]
    total = {truth: sum(sum(bands.values()) for bands in answers[truth].values()) for truth in ("ai", "human")}
    for percent_ai in (0, 1, 10, 50, 100):
        piles = {"ai": 100 * percent_ai, "human": 100 * (100 - percent_ai)}
        called = {truth: piles[truth] * sum(answers[truth]["ai"].values()) / total[truth] for truth in piles}
        expected = round(100 * called["ai"] / (called["ai"] + called["human"]))
        assert rates(bundled.config)[0]["right"][percent_ai] == expected
    everything = rates(bundled.config)
    assert [line["right"][0] for line in everything] == [0, 0, 0]
    assert everything[2]["right"][10] > everything[0]["right"][10]


def test_what_came_in_a_zip_is_kept_while_the_pile_is_judged(bundled, tmp_path):
    """The last picture's turn comes after uploads are swept."""
    cat = (EXAMPLES / "chelsea.png").read_bytes()
    zip_of(tmp_path / "pile.zip", {"1.png": cat, "2.png": cat})
    files = unpacked(str(tmp_path), {"path": str(tmp_path / "pile.zip")})["files"]
    model = Future()
    model.set_result(Service(bundled))
    long_ago = time.time() - 500
    for path in tmp_path.rglob("*"):
        os.utime(path, (long_ago, long_ago))
    with ThreadPoolExecutor(1) as pool:
        (found,) = judge(model, pool, str(tmp_path), {"files": files[:1]})["found"]
    assert found["side"] == "human"
    assert [Path(file["path"]).stat().st_mtime > time.time() - 100 for file in files] == [True, True]
