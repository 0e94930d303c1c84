"""The server behind the page: its API, what hostile requests get, wrong usage of app.py."""

import io
import json
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from PIL import Image

from tests.client import Page, crowd
from tests.conftest import EXAMPLES
from tests.running import NO_HUB, running_app


def test_api(url, bundled):
    from gradio_client import Client, handle_file

    client = Client(url, verbose=False)
    (expected,) = bundled.predict([EXAMPLES / "rocket.jpg"])
    found = client.predict(handle_file(str(EXAMPLES / "rocket.jpg")), api_name="/predict")
    assert list(found) == ["label", "probs", "p_ai", "band", "model", "provenance"]
    assert found["label"] == expected.label
    assert abs(found["p_ai"] - expected.p_ai) < 1e-3
    assert list(client.view_api(return_format="dict")["named_endpoints"]) == ["/predict", "/examine"]


def test_api_error_is_the_sentence(url, tmp_path):
    from gradio_client import Client, handle_file

    (tmp_path / "notes.png").write_bytes(b"no picture at all")
    with pytest.raises(Exception, match=r"notes\.png is not an image") as caught:
        Client(url, verbose=False).predict(handle_file(str(tmp_path / "notes.png")), api_name="/predict")
    assert "Traceback" not in str(caught.value)


def post(url: str, *arguments: object) -> str:
    """What /predict answers to posted arguments, over plain HTTP: gradio_client would upload the file first."""
    event = json.loads(send(f"{url}/gradio_api/call/predict", {"data": arguments}))["event_id"]
    return send(f"{url}/gradio_api/call/predict/{event}")


def send(address: str, body: object = None) -> str:
    request = urllib.request.Request(
        address, None if body is None else json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    return urllib.request.urlopen(request, timeout=30).read().decode()


MARKED = {"meta": {"_type": "gradio.FileData"}}
HOW = "Send an uploaded file: handle_file('picture.jpg')"


@pytest.mark.parametrize("arguments", [
    ["picture.jpg"], ["https://example.com/a.png"], ["data:image/png;base64,AAAA"], [["a"]], [7], [True], [{}],
    [{"path": "a.png"}], [{"path": 7, **MARKED}], [{"path": "a\0b", **MARKED}], [{"path": "x" * 5000, **MARKED}],
    [{"url": "https://example.com/a.png", **MARKED}], [MARKED], [[{"path": "/etc/passwd", **MARKED}]],
    [None], [], [None, None], ["a", "b"],
], ids=lambda arguments: json.dumps(arguments)[:40])  # fmt: skip
def test_wrong_call_is_told_what_to_send(url, arguments):
    assert HOW in post(url, *arguments)


@pytest.mark.parametrize("wrong", ["picture.jpg", "data:image/png;base64,AAAA", ["a"], 7, {"path": "a.png"}])
def test_wrong_call_through_the_client_is_told_what_to_send(url, wrong):
    from gradio_client import Client

    with pytest.raises(Exception, match="Send an uploaded file"):
        Client(url, verbose=False).predict(wrong, api_name="/predict")


@pytest.mark.parametrize(("door", "body"), [
    ("call/predict", {"data": "picture.jpg"}), ("call/predict", {}), ("call/predict", "picture.jpg"),
    ("call/classify", {"data": [None]}), ("queue/join", {"data": [None], "fn_index": 999, "session_hash": "a"}),
    ("queue/join", {"data": {"image": "a"}, "fn_index": 0, "session_hash": "a"}),
])  # fmt: skip
def test_what_is_no_call_is_told_what_to_send(url, door, body):
    with pytest.raises(urllib.error.HTTPError) as caught:
        send(f"{url}/gradio_api/{door}", body)
    assert caught.value.code in (404, 422)
    assert HOW in json.load(caught.value)["detail"]


@pytest.mark.parametrize("path", [
    str(EXAMPLES / "rocket.jpg"), "/etc/passwd", "../../../../etc/passwd", "http://127.0.0.1:9/a.png",
    "https://example.com/a.png",
])  # fmt: skip
@pytest.mark.parametrize("meta", [{}, {"meta": {"_type": "gradio.FileData"}}])
def test_only_uploads_are_opened(url, path, meta):
    """A path or address that somebody posts is not opened, with or without Gradio's own mark on it."""
    answer = post(url, {"path": path, **meta})
    assert "event: error" in answer
    assert "label" not in answer
    assert "root:" not in answer


def test_uploads_are_opened(url):
    """The same door does open for an upload: the test above tests something."""
    data = (EXAMPLES / "rocket.jpg").read_bytes()
    body = b"--x\r\nContent-Disposition: form-data; name=files; filename=r.jpg\r\n\r\n" + data + b"\r\n--x--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    request = urllib.request.Request(f"{url}/gradio_api/upload", body, headers)
    (path,) = json.load(urllib.request.urlopen(request, timeout=30))
    assert '"label"' in post(url, {"path": path, "meta": {"_type": "gradio.FileData"}})


@pytest.mark.parametrize(
    "route", ["file=https://", "file/https://", "file=HTTP://", "file=%68ttps://", "file//http://"]
)
def test_no_foreign_file_is_fetched(url, route):
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{url}/gradio_api/{route}example.com/a.png", timeout=20)
    assert caught.value.code == 404


@pytest.mark.parametrize("route", ["/monitoring", "/monitoring/summary", "/monitoring/dashboard"])
def test_no_figures_of_visitors_are_kept_for_anybody(url, route):
    with pytest.raises(urllib.error.HTTPError, match="403"):
        send(url + route)


def test_gradio_makes_no_table_of_all_requests():
    """A queue as app.py leaves it, asked for what is asked of it after each request."""
    code = """if True:
        import app, gradio
        with gradio.Blocks() as demo:
            gradio.Button().click(lambda: None)
        queue, lines = demo.queue()._queue, [{'function': 'predict', 'status': 'success', 'process_time': 1.0}] * 99
        queue.events_recorded = len(lines)
        print(queue.ANALYTICS_MAX_EVENTS, queue.compute_analytics_summary(lines))
    """
    done = subprocess.run([sys.executable, "-c", code], cwd=EXAMPLES.parent, capture_output=True, text=True, check=True)
    assert done.stdout.split(maxsplit=1) == ["1", "{'functions': {}}\n"]


def test_one_too_many_is_told_that_the_page_is_busy(tmp_path):
    """More people than the queue holds: some are refused at once, the others are all answered, and so is the next."""
    small = io.BytesIO()
    Image.open(EXAMPLES / "rocket.jpg").resize((240, 160)).save(small, "JPEG")
    data = small.getvalue()
    with running_app(tmp_path, NO_HUB, "--model", "bundled") as address:
        page = Page(int(address.rsplit(":", 1)[1]))
        refused = crowd(page, data, 160)
        assert {error[:3] for error in refused} == {"503"}
        assert 160 - len(refused) >= 64
        assert '"who"' in json.dumps(page.ask(data, "next"))


def test_no_image_is_a_sentence(url):
    assert "No image was given" in post(url, None)


@pytest.mark.parametrize(("arguments", "words"), [
    (["--examples", "/nowhere"], "holds no images"),
    (["--port", "many"], "invalid int value"),
    (["--port", "1", "--host", "192.0.2.1"], "cannot be used"),
    (["--port", "0", "--host", "nowhere.invalid"], "nowhere.invalid, port 0 cannot be used"),
])  # fmt: skip
def test_wrong_usage(arguments, words):
    done = subprocess.run([sys.executable, str(EXAMPLES.parent / "app.py"), *arguments], capture_output=True, text=True)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_part_of_an_upload_that_is_no_file_is_refused(url):
    body = b"--x\r\nContent-Disposition: form-data; name=text\r\n\r\n" + bytes(100_000) + b"\r\n--x--\r\n"
    request = urllib.request.Request(
        f"{url}/gradio_api/upload", body, {"Content-Type": "multipart/form-data; boundary=x"}, method="POST"
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert refused.value.code == 400
    assert b"Too many fields" in refused.value.read()


def test_log_holds_no_traceback(url, log):
    """Whatever the tests above sent, the program stumbled over nothing."""
    assert "Traceback" not in log.read_text()
