"""What many at once, or one who asks too much, are told: bounds on bodies, on places, on patience."""

import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

import app
import ui.shared
from detector import ImageError
from tests.conftest import EXAMPLES
from tests.test_api import ROCKET, data_url, in_thread
from ui.agents import CROWDED, FAILED, _answered, agents, tools
from ui.api import AT_ONCE, BUSY, examine
from ui.limits import FULL, LARGE, LARGEST, MOST, Limits, visitor

PART = bytes(2**20)


async def length(request):
    return PlainTextResponse(str(len(await request.body())))


def served(answer, rate: int | None = None) -> TestClient:
    return TestClient(Limits(Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])]), rate))


@pytest.mark.parametrize(
    ("path", "most"), [("/mcp", LARGEST), ("/gradio_api/queue/join", 2**20), ("/gradio_api/run/many_csv", 2**24)]
)
def test_limits_count_what_comes_and_not_what_is_announced(path, most):
    client = served(length)
    assert client.post(path, content=(PART for _ in range(most // 2**20))).text == str(most // 2**20 * 2**20)
    refused = client.post(path, content=(PART for _ in range(most // 2**20 + 1)))
    told = f"A request like this may have {most // 2**20} MB."
    assert (refused.status_code, refused.json()["error"]) == (413, told)
    assert client.post("/gradio_api/upload", content=bytes(LARGEST + 1)).status_code == 200  # Gradio's own bound counts
    assert client.get(path).status_code == 200


def test_large_requests_at_once_have_a_bound_and_leave_nothing_behind():
    holding, go_on = threading.Semaphore(0), threading.Event()

    def held(request):
        """Not before the others have come, on a thread of its own."""
        holding.release()
        assert go_on.wait(60)
        return PlainTextResponse("")

    async def hold(request):
        from anyio.to_thread import run_sync

        await request.body()
        return await run_sync(held, request)

    client = served(hold)
    with client, ThreadPoolExecutor(MOST // LARGEST + 1) as pool:
        running = [pool.submit(client.post, "/mcp", content=bytes(LARGEST)) for _ in range(MOST // LARGEST)]
        for _ in running:
            assert holding.acquire(timeout=60)
        refused = client.post("/mcp", content=bytes(LARGE + 1))
        assert (refused.status_code, refused.json()["error"]) == (503, FULL)
        small = pool.submit(client.post, "/gradio_api/queue/join", content=b"{}")  # who asks for a picture's answer
        go_on.set()
        assert [one.result().status_code for one in (*running, small)] == [200] * (len(running) + 1)
        assert client.post("/mcp", content=bytes(LARGEST)).status_code == 200
    assert client.app.held == 0


@pytest.mark.parametrize(
    ("host", "who"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("testclient", "testclient"),
    ],
)
def test_who_a_visitor_is(host, who):
    assert visitor({"client": (host, 1)}) == who
    assert visitor({"client": None}) == "unknown"


@pytest.mark.parametrize("rate", ["0", "-1", "some"])
def test_a_rate_that_is_none(rate, capsys):
    with pytest.raises(SystemExit):
        app.main(["--rate", rate])
    assert "--rate" in capsys.readouterr().err.splitlines()[-1]


def test_too_many_at_a_time_are_told_so(monkeypatch):
    monkeypatch.setattr(ui.shared._places, "_value", 0)
    with pytest.raises(ImageError, match=CROWDED):
        in_thread(_answered, lambda image: {}, data_url(ROCKET))


def test_closer_looks_of_agents_leave_places(monkeypatch):
    left = [AT_ONCE]

    def look(model, gallery, image):  # as many at a time as there are places, each of which asks for one more
        left[0] -= 1
        if left[0]:
            return known["examine_image"].answer(image)
        with pytest.raises(ImageError, match=CROWDED):
            known["examine_image"].answer(image)
        return {"seen": True}

    monkeypatch.setattr("ui.agents.examine", look)
    known = tools(Future(), Future())
    for _ in range(2):  # the places come back
        left[0] = AT_ONCE
        assert known["examine_image"].answer(b"") == {"seen": True}


def test_faults_of_ours_are_not_told_to_agents(caplog):
    with pytest.raises(RuntimeError, match=FAILED):
        in_thread(_answered, lambda image: {}["/a/secret/path"], data_url(EXAMPLES / "rocket.jpg"))
    assert "/a/secret/path" in caplog.text


def test_a_closer_look_is_given_up_while_others_wait():
    asked = []
    service, gallery = Future(), Future()
    service.set_result(SimpleNamespace(aside=lambda work, patience: asked.append(patience)))
    gallery.set_result([])
    with pytest.raises(ImageError, match=BUSY):
        examine(service, gallery, ROCKET)
    assert asked == [20]


def test_tools_without_their_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "mcp.server.lowlevel", None)
    with pytest.raises(ValueError, match="pip install 'mcp"):
        agents(Future(), Future(), "127.0.0.1")
