"""The ways in for programs: endpoints by gradio_client and curl, tools by the official client, bounds on both."""

import base64
import json
import re
import subprocess
from pathlib import Path

import httpx
import jsonschema
import pytest
from anyio.from_thread import start_blocking_portal
from gradio_client import Client, handle_file
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from pydantic import TypeAdapter

from detector.nearest import FREE, Index, Known, known_in
from detector.output.as_json import origin_to_json, seen_to_json, to_json
from detector.output.schema import Answer
from detector.provenance import said_by
from detector.seen import look
from detector.stress import SIDE
from tests.conftest import EXAMPLES
from tests.forked import ROOT
from tests.running import NO_HUB, running_app
from ui.agents import NO_DATA_URL, NO_IMAGE, NO_TOOL
from ui.gallery import bundled_examples
from ui.limits import LARGEST

ROCKET, DALLE = EXAMPLES / "rocket.jpg", EXAMPLES / "dalle_3.webp"
PAGE = (ROOT / "docs" / "api.md").read_text("utf-8")
SCHEMA = TypeAdapter(Answer).json_schema()


@pytest.fixture(scope="module")
def agents_url(tmp_path_factory):
    """A page with tools for agents that lets each visitor send forty requests a minute."""
    options = ("--precision", "fp32", "--model", "bundled", "--mcp", "--rate", "40")
    with running_app(tmp_path_factory.mktemp("agents"), NO_HUB, *options) as address:
        yield address


@pytest.fixture(scope="module")
def examined(bundled) -> dict:
    """What the library finds of the rocket, as JSON."""
    known = [*known_in(FREE), *(Known(one.path, one.label) for one in bundled_examples())]
    image = bundled.prepare(ROCKET, SIDE)
    seen = look(bundled, image, bundled.classify([image])[0], said_by(ROCKET), index=Index(bundled, known))
    found = seen_to_json(seen)
    for near in found["nearest"]:
        near["file"] = Path(near["file"]).name
    return found


def data_url(path: Path) -> str:
    return "data:image/*;base64," + base64.b64encode(path.read_bytes()).decode()


def in_thread(work, *args):
    """What the coroutine function returns. Playwright, for other tests, keeps a loop of its own in this thread."""
    with start_blocking_portal() as portal:
        return portal.call(work, *args)


def in_session(url: str, work, **headers: str):
    """What `work(session)` returns, through the official client."""

    async def run():
        async with (
            httpx.AsyncClient(headers=headers, timeout=120) as client,
            streamable_http_client(f"{url}/mcp", http_client=client) as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            return await work(session)

    return in_thread(run)


def call(url: str, name: str, image: str, **headers: str):
    return in_session(url, lambda session: session.call_tool(name, {"image": image}), **headers)


def same(found: dict, expected: dict) -> None:
    """To a digit of what rounding leaves; another thread may share sums out differently."""
    jsonschema.validate(found, SCHEMA)
    assert set(found) == set(expected)
    for key, value in expected.items():
        if key == "nearest":
            assert [near["file"] for near in found[key]] == [near["file"] for near in value]
        elif key in ("steady", "map_check", "provenance"):
            assert set(found[key]) == set(value)
        else:
            assert found[key] == (pytest.approx(value, abs=2e-4) if key in ("probs", "p_ai") else value)


def test_the_schema_in_the_docs_is_that_of_the_types():
    (shown,) = re.findall(r"## Schema\n\n```json\n(.+?)\n```", PAGE, re.S)
    assert json.loads(shown) == SCHEMA
    for wrong in ({"label": "cat"}, {"model": None}, {"provenance": {"c2pa": "perhaps", "findings": []}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"model": "m", "provenance": {"c2pa": None, "findings": []}} | wrong, SCHEMA)


def test_both_endpoints_through_gradios_client(url, bundled, examined):
    client = Client(url, verbose=False)
    for path in (ROCKET, DALLE):
        expected = to_json(bundled.predict([path])[0]) | {"provenance": origin_to_json(said_by(path))}
        same(client.predict(handle_file(path), api_name="/predict"), expected)
    found = client.predict(handle_file(ROCKET), api_name="/examine")
    same(found, examined)
    assert found["steady"]["of"] == len(found["steady"]["p_ai"]) == 13
    assert str(FREE) not in json.dumps(found)


def test_the_docs_lines_for_curl(url, bundled, tmp_path):
    (lines,) = re.findall(r"```sh\n(URL=.+?)\n```", PAGE, re.S)
    (tmp_path / "picture.jpg").write_bytes(ROCKET.read_bytes())
    lines = lines.replace("http://127.0.0.1:7860", url)
    done = subprocess.run(["bash", "-euc", lines], cwd=tmp_path, capture_output=True, text=True)
    event, data = done.stdout.strip().splitlines()
    assert event == "event: complete"
    (found,) = json.loads(data.removeprefix("data: "))
    same(found, to_json(bundled.predict([ROCKET])[0]) | {"provenance": {"c2pa": "none", "findings": []}})


def test_exactly_the_tools_that_are_meant(agents_url):
    told = in_session(agents_url, lambda session: session.list_tools()).tools
    assert [tool.name for tool in told] == ["classify_image", "examine_image", "read_provenance"]
    assert all(tool.annotations.readOnlyHint and len(tool.description) > 80 for tool in told)
    assert told[0].outputSchema == SCHEMA
    assert all(list(tool.inputSchema["properties"]) == ["image"] for tool in told)
    assert all(f"`{tool.name}`" in PAGE for tool in told)


def test_tools_answer_as_the_api_does(agents_url, bundled, examined):
    client = Client(agents_url, verbose=False)
    for name, api_name in (("classify_image", "/predict"), ("examine_image", "/examine")):
        result = call(agents_url, name, data_url(ROCKET))
        assert not result.isError
        same(result.structuredContent, client.predict(handle_file(ROCKET), api_name=api_name))
        assert json.loads(result.content[0].text) == result.structuredContent
    same(result.structuredContent, examined)
    result = call(agents_url, "read_provenance", data_url(DALLE))
    assert result.structuredContent == origin_to_json(said_by(DALLE))


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        ("http://127.0.0.1:9/picture.png", NO_DATA_URL),
        ("/etc/passwd", NO_DATA_URL),
        ("data:text/html,<b>", NO_DATA_URL),
        ("data:image/png;base64,AAA", "is no valid base64"),
        ("data:image/svg+xml;base64," + base64.b64encode(b"<svg onload='alert(1)'/>").decode(), "is an SVG drawing"),
        ("data:image/png;base64,", "This image is "),
    ],
)
def test_tools_refuse_in_a_sentence(agents_url, image, sentence):
    for name in ("classify_image", "read_provenance"):
        result = call(agents_url, name, image, **{"X-Forwarded-For": "192.0.2.9"})
        assert result.isError
        (told,) = result.content
        assert sentence in told.text
        assert "Traceback" not in told.text


@pytest.mark.parametrize(
    ("name", "arguments", "sentence"),
    [
        ("open_the_door", {"image": "secret"}, NO_TOOL.format("classify_image, examine_image, read_provenance")),
        ("classify_image", {"image": 7}, NO_IMAGE),
        ("classify_image", {"image": "secret", "also": "secret"}, NO_IMAGE),
        ("classify_image", {}, NO_IMAGE),
    ],
)
def test_wrong_calls_are_not_repeated(agents_url, name, arguments, sentence):
    headers = {"X-Forwarded-For": "192.0.2.10"}
    result = in_session(agents_url, lambda session: session.call_tool(name, arguments), **headers)
    assert result.isError
    assert [told.text for told in result.content] == [sentence]


def test_pages_of_other_sites_and_too_much_are_refused(agents_url):
    elsewhere = {"X-Forwarded-For": "192.0.2.1", "Content-Type": "application/json", "Accept": "application/json"}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        assert httpx.post(f"{agents_url}/mcp", json=body, headers=elsewhere | headers).status_code in (403, 421)
    for path in ("/mcp", "/gradio_api/call/predict", "/gradio_api/call/upload"):
        answer = httpx.post(f"{agents_url}{path}", content=bytes(LARGEST + 1), headers=elsewhere, timeout=60)
        assert answer.status_code == 413


def test_one_visitor_too_often_and_nobody_else(agents_url):
    def ask(who: str) -> httpx.Response:
        return httpx.post(f"{agents_url}/gradio_api/call/predict", json={}, headers={"X-Forwarded-For": who})

    codes = [ask("2001:db8:1:2::1").status_code for _ in range(41)]
    assert codes == [422] * 40 + [429]
    refused = ask("2001:db8:1:2::ffff")  # the same customer's
    assert refused.status_code == 429
    assert refused.json()["error"] == "That is more than 40 requests in a minute; wait a little."
    assert refused.headers["Retry-After"] == "60"
    assert ask("2001:db8:1:3::1").status_code == ask("198.51.100.1").status_code == 422
