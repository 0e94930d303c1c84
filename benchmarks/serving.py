"""The page under 1, 4, 16 and 64 users at once, by raw HTTP from another process, who each send 1024 x 1024 JPEGs.

The page's own event (with map and overlay) and its API; the rate of the bare forward pass in batches of 8; and, for the
API alone, our batches against Gradio's `batch=True` and against none. Then what one user too many is told.
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

from benchmarks.common import examples, jpeg, report, running, spread
from detector.cpu import cores
from tests.client import Page, Refused, at_once, crowd

USERS = (1, 4, 16, 64)
ANSWERS = {1: 40, 4: 96, 16: 192, 64: 256}
PORT = 7899


def load(page: Page, users: int, answers: int, api_name: str | None) -> dict:
    pictures = [jpeg(1024, example=name) for name in examples()]
    turns, lock = itertools.count(), threading.Lock()
    seconds, errors = [], []

    def user(name: str) -> None:
        while True:
            with lock:
                i = next(turns)
            if i >= answers:
                return
            start = time.perf_counter()
            try:
                page.ask(pictures[i % len(pictures)], f"{name}-{i}-{time.time()}", api_name)
                seconds.append(time.perf_counter() - start)
            except Refused as error:
                errors.append(str(error))

    ours, theirs, start = time.process_time(), _cpu_seconds(page.process), time.perf_counter()
    at_once([partial(user, f"user{n}") for n in range(users)])
    took = time.perf_counter() - start
    cuts = statistics.quantiles(seconds, n=20)
    return {
        "answers/s": round(answers / took, 1),
        "p50": round(statistics.median(seconds), 3),
        "p95": round(cuts[-1], 3),
        "errors": len(errors),
        "ms of CPU an answer": round((_cpu_seconds(page.process) - theirs) / answers * 1000),
        "ms of CPU of the users": round((time.process_time() - ours) / answers * 1000),
    }


def _cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure() -> dict:
    found = {"page": {}, "api": {}}
    forward = []
    for api_name, name in ((None, "page"), ("predict", "api")):
        with running("app.py", "--model", "bundled", port=PORT) as page:
            load(page, 16, 64, api_name)
            for users in USERS:
                forward += _forward_seconds()
                row = found[name][users] = load(page, users, ANSWERS[users], api_name)
                print(f"{name}, {users:2} users: {json.dumps(row)}", flush=True)
    found["batching"] = {kind: [] for kind in ("ours", "gradio", "none")}
    for _ in range(3):
        for kind, rates in found["batching"].items():
            with running("-m", "benchmarks.serving", "--serve", kind, port=PORT) as page:
                load(page, 16, 48, "predict")
                rates.append(load(page, 16, 160, "predict")["answers/s"])
    print(f"16 users, answers/s, batches by us, by Gradio, none: {found['batching']}", flush=True)
    found["one too many"] = _one_too_many()
    print(f"one user too many is told: {found['one too many']}")
    found["profile"] = _profile()
    print(f"where an answer's CPU time goes: {found['profile']}; the rest is Gradio and HTTP")
    bare = statistics.median(forward)
    for name in ("page", "api"):
        row = found[name][16]
        found[f"{name}: share of the bare forward's rate, 16 users"] = round(row["answers/s"] * bare, 3)
        found[f"{name}: p95 / 16 bare forwards, 16 users"] = round(row["p95"] / (16 * bare), 2)
        # The forward keeps all cores busy, an answer some of them for some of the time.
        share = bare * cores() * 1000 / row["ms of CPU an answer"]
        found[f"{name}: share of CPU time in the model, 16 users"] = round(share, 2)
    return found | {"bare forward in a batch of 8, seconds an image": spread(forward)}


def _forward_seconds() -> list[float]:
    """Of the bare forward pass while nobody asks, in a process of its own."""
    code = (
        "import time, torch, detector; m = detector.load('bundled'); x = torch.randn(8, 3, 224, 224); times = []\n"
        "for _ in range(15):\n    t = time.perf_counter(); m.engine.forward_features(x)\n"
        "    times.append((time.perf_counter() - t) / 8)\nprint(times[5:])"
    )
    return json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def _profile() -> dict:
    """Milliseconds of CPU for each part of an answer, with one core, in a process of its own."""
    code = """
import io, json, time, torch
from PIL import Image
torch.set_num_threads(1)
import detector
from benchmarks.common import jpeg
from detector.explain import VIEW_SIDE, overlay
from ui.check import _to_jpeg
model, data = detector.load("bundled"), jpeg(1024)
prepared = model.prepare(data, VIEW_SIDE)
small = prepared.image
(verdict, *_) = model.classify([prepared] * 8)
parts = {
    "forward and maps, batch of 8": lambda: model.classify([prepared] * 8),
    "decoding, to the network's input and the view": lambda: model.prepare(data, VIEW_SIDE),
    "overlay and JPEGs": lambda: (Image.open(io.BytesIO(_to_jpeg(small))), _to_jpeg(overlay(small, verdict.maps, 0))),
}
found = {}
for name, part in parts.items():
    part()
    start = time.thread_time()
    for _ in range(10):
        part()
    found[name] = round((time.thread_time() - start) * 100 / (8 if "batch" in name else 1), 1)
print(json.dumps(found))
"""
    return json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def _one_too_many() -> str:
    people = 160
    with running("app.py", "--model", "bundled", port=PORT) as page:
        refusals = crowd(page, jpeg(1024), people)
    return f"{len(refusals)} of {people}: {refusals[0] if refusals else 'nothing'}"


def serve(kind: str, port: int) -> None:
    """Nothing but /predict, with batches by `detector.serving`, by Gradio, or none."""
    import gradio as gr

    import detector
    from detector.output.as_json import to_json
    from detector.serving import Service
    from detector.threads import in_background
    from ui.upload import ImageFile

    model = in_background(detector.load, "bundled").result()
    service = Service(model)
    together = {
        "ours": lambda path: to_json(service.answer(path).verdict),
        "none": lambda path: to_json(model.predict([path])[0]),
        "gradio": lambda paths: [[to_json(v) for v in model.classify([model.prepare(p) for p in paths])]],
    }[kind]
    queue = {"batch": True, "max_batch_size": 8, "concurrency_limit": 1} if kind == "gradio" else {}
    with gr.Blocks(analytics_enabled=False) as demo:
        image, answer = ImageFile(), gr.JSON()
        gr.Button().click(together, image, answer, api_name="predict", **{"concurrency_limit": 32, **queue})
    demo.queue(api_open=False).launch(server_port=port)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve", choices=("ours", "gradio", "none"))
    parser.add_argument("--port", type=int)
    options, _ = parser.parse_known_args()
    if options.serve:
        serve(options.serve, options.port)
    else:
        report(measure)
