"""One 1024 x 1024 JPEG, warm: from bytes to probabilities, all six maps and three overlays.

Against what people write (torchvision's forward, then grad-cam's GradCAM once for each class, as it comes), against a
bare forward pass in fp32 (as it comes, and channels_last), and against the bare pass in bf16, plain PyTorch's floor.
"""

import copy
import io

import numpy as np
import torch
from PIL import Image
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.image import show_cam_on_image
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torchvision.models import densenet121
from torchvision.transforms import v2

import detector
from benchmarks.common import in_turns, jpeg, ratio, report, table
from detector import CLASSES
from detector.explain import VIEW_SIDE, overlay
from detector.transforms import MEAN, STD

ROUNDS = 30


def measure() -> dict:
    data = jpeg(1024)
    model = detector.load("bundled")
    naive = densenet121(num_classes=len(CLASSES)).eval()
    naive.load_state_dict(model.model.state_dict())
    bare = copy.deepcopy(naive).to(memory_format=torch.channels_last)
    half = copy.deepcopy(bare).bfloat16()
    transform = v2.Compose(
        [v2.Resize((224, 224)), v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
    )
    x = torch.randn(1, 3, 224, 224)
    x_last = x.contiguous(memory_format=torch.channels_last)

    def what_people_write() -> None:
        image = Image.open(io.BytesIO(data)).convert("RGB")
        x = transform(image)[None]
        with torch.no_grad():
            naive(x).softmax(1)
        image.thumbnail((VIEW_SIDE, VIEW_SIDE))
        picture = np.asarray(image.resize((224, 224)), np.float32) / 255
        for index in range(len(CLASSES)):
            with GradCAM(naive, [naive.features[-1]]) as cam:
                show_cam_on_image(picture, cam(x, [ClassifierOutputTarget(index)])[0], use_rgb=True)

    def ours() -> None:
        prepared = model.prepare(data, VIEW_SIDE)
        (verdict,) = model.classify([prepared])
        for index in range(len(CLASSES)):
            overlay(prepared.image, verdict.maps, index)

    found = in_turns(
        {
            "what people write": what_people_write,
            "ours, bytes to six maps and three overlays": ours,
            "ours, bytes to probabilities and six maps": lambda: model.predict([data]),
            "bare forward, fp32": torch.inference_mode()(lambda: naive(x)),
            "bare forward, fp32, channels_last": torch.inference_mode()(lambda: bare(x_last)),
            "bare forward, bf16, channels_last": torch.inference_mode()(lambda: half(x_last.bfloat16())),
        },
        ROUNDS,
    )
    table(f"latency, ours in {model.precision}", found)
    ours = "ours, bytes to six maps and three overlays"
    return {
        "precision": model.precision,
        "seconds": found,
        "what people write / ours": ratio(found, "what people write", ours),
        "ours / bare fp32": ratio(found, ours, "bare forward, fp32, channels_last"),
        "maps / bare fp32": ratio(
            found, "ours, bytes to probabilities and six maps", "bare forward, fp32, channels_last"
        ),
        "ours / bare bf16": ratio(found, ours, "bare forward, bf16, channels_last"),
    }


if __name__ == "__main__":
    report(measure)
