"""Which engine runs this network fastest here, and whether it gives the same answers.

    python -m benchmarks.engines [--answers DIR --calibrate DIR]

One image and batches of 8, features of DenseNet121. `--answers`: class folders, on which each engine's probabilities
are compared with plain PyTorch's in fp32. `--calibrate`: images from which int8 takes its ranges (the first 100).
"""

import argparse
import contextlib
import copy
import io
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import detector
from benchmarks.common import in_turns, ratio, report, table
from detector import CLASSES
from detector.fast_cpu import Engine
from detector.files import find_images
from detector.hub import load_checkpoint
from detector.transforms import eval_transforms

ROUNDS = 10


def measure() -> dict:
    parser = argparse.ArgumentParser()
    parser.add_argument("--answers", type=Path)
    parser.add_argument("--calibrate", type=Path)
    options, _ = parser.parse_known_args()
    warnings.filterwarnings("ignore")
    checkpoint = load_checkpoint("bundled")
    found, engines, ready = {}, {}, {}
    for name, make in _contestants(checkpoint.model, options.calibrate).items():
        try:
            start = time.perf_counter()
            with contextlib.redirect_stdout(io.StringIO()):
                engines[name] = make()
                for n in (1, 8):
                    engines[name](torch.randn(n, 3, 224, 224))
            ready[name] = round(time.perf_counter() - start, 1)
        except ImportError as error:
            print(f"{name} is left out: {error}")
    print("seconds until the first answers:", ready)
    for n in (1, 8):
        x = torch.randn(n, 3, 224, 224)
        times = in_turns({name: partial(run, x) for name, run in engines.items()}, ROUNDS, settle=True)
        table(f"{n} image{'s' * (n > 1)}", times)
        found[f"seconds, {n}"] = times
    best = {
        n: min((k for k in engines if k.startswith("ours")), key=lambda k: found[f"seconds, {n}"][k]["median"])
        for n in (1, 8)
    }
    for n, ours in best.items():
        found[f"{ours} / each, {n}"] = {name: ratio(found[f"seconds, {n}"], ours, name) for name in engines}
    if options.answers:
        found["answers"] = _compare(engines, checkpoint, options.answers)
    return {"seconds until the first answers": ready} | found


def _contestants(model: torch.nn.Module, calibrate: Path | None) -> dict[str, Callable]:
    def plain(dtype: torch.dtype, layout: torch.memory_format, compiled: bool = False) -> Callable:
        network = copy.deepcopy(model).to(dtype, memory_format=layout)
        forward = torch.compile(network.forward_features, options={"freezing": True}) if compiled else network.features

        def run(x: Tensor) -> Tensor:
            with torch.no_grad():
                return forward(x.to(dtype, memory_format=layout)).float()

        return run

    last, fp32, bf16 = torch.channels_last, torch.float32, torch.bfloat16
    found = {
        "torchvision, fp32": lambda: plain(fp32, torch.contiguous_format),
        "torchvision, fp32, channels_last": lambda: plain(fp32, last),
        "torchvision, bf16, channels_last": lambda: plain(bf16, last),
        "torch.compile, fp32": lambda: plain(fp32, last, True),
        "torch.compile, bf16": lambda: plain(bf16, last, True),
        "ours, fp32": lambda: Engine(model, fp32).forward_features,
        "ours, bf16": lambda: Engine(model, bf16).forward_features,
        "ONNX Runtime, fp32": lambda: _onnx_runtime(model),
        "OpenVINO, fp32": lambda: _openvino(model, "f32"),
        "OpenVINO, bf16": lambda: _openvino(model, "bf16"),
    }
    if calibrate:
        found["OpenVINO, int8"] = lambda: _openvino(model, "f32", calibrate)
    return found


def _onnx_runtime(model: torch.nn.Module) -> Callable:
    import onnxruntime

    buffer = io.BytesIO()
    network = copy.deepcopy(model).to(memory_format=torch.contiguous_format).features
    axes = {"x": {0: "n"}, "features": {0: "n"}}
    torch.onnx.export(
        network, (torch.zeros(2, 3, 224, 224),), buffer, dynamo=False, input_names=["x"], output_names=["features"],
        dynamic_axes=axes, opset_version=17,
    )  # fmt: skip
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(buffer.getvalue(), options, providers=["CPUExecutionProvider"])
    return lambda x: torch.from_numpy(session.run(None, {"x": x.numpy()})[0])


def _openvino(model: torch.nn.Module, precision: str, calibrate: Path | None = None) -> Callable:
    import openvino

    network = copy.deepcopy(model).to(memory_format=torch.contiguous_format).features
    converted = openvino.convert_model(network, example_input=torch.zeros(1, 3, 224, 224), input=[(-1, 3, 224, 224)])
    if calibrate:
        import nncf

        images = nncf.Dataset(
            [x[None].numpy() for x in _inputs(find_images(calibrate)[:: max(1, len(find_images(calibrate)) // 100)])]
        )
        converted = nncf.quantize(converted, images, subset_size=100)
    settings = {
        "INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }  # fmt: skip
    request = openvino.Core().compile_model(converted, "CPU", settings).create_infer_request()
    return lambda x: torch.from_numpy(np.array(request.infer({0: x.numpy()})[0]))


def _inputs(files: list[Path]) -> list[Tensor]:
    transform = eval_transforms()
    return [transform(detector.images.open_image(file)) for file in files]


def _compare(engines: dict[str, Callable], checkpoint, folder: Path) -> dict:
    """Against plain PyTorch in fp32: largest difference of a probability, labels that flip; and the accuracy."""
    files = {name: find_images(folder / name) for name in CLASSES}
    x = torch.stack(_inputs([file for some in files.values() for file in some]))
    padded = torch.cat([x, x[: -len(x) % 8]])  # what is compiled is compiled for batches of 8
    truth = torch.tensor([CLASSES.index(name) for name, some in files.items() for _ in some])
    probs = {}
    for name, run in engines.items():
        features = torch.cat([run(batch) for batch in padded.split(8)])[: len(x)]
        with torch.inference_mode():
            probs[name] = (checkpoint.model.forward_head(features) / checkpoint.config.temperature).softmax(1)
    reference = probs["torchvision, fp32"]
    found = {}
    for name, p in probs.items():
        recalls = [(p.argmax(1) == truth)[truth == c].double().mean().item() for c in range(len(CLASSES))]
        found[name] = {
            "largest difference": round((p - reference).abs().max().item(), 5),
            "flips": round((p.argmax(1) != reference.argmax(1)).double().mean().item(), 5),
            "balanced accuracy": round(sum(recalls) / len(recalls), 4),
        }
        print(f"{name:40} {found[name]}", flush=True)
    return found


if __name__ == "__main__":
    report(measure)
