"""Where the weights begin: ImageNet's, nothing, or a checkpoint."""

import urllib.request
from pathlib import Path

import torch
from torchvision.models import DenseNet121_Weights

from detector import CLASSES
from detector.checkpoint import WEIGHTS_FILE, CheckpointError, read_state_dict
from detector.hub import CONNECT_TIMEOUT
from detector.model import DenseNet121
from train.machine import from_first, say


def initial_model(init: str) -> tuple[DenseNet121, str]:
    """A model to train and the words for what it starts from: `init` is imagenet, scratch or a checkpoint's path.

    ImageNet weights that cannot be fetched are said to be so, and the start is from scratch.
    """
    model = DenseNet121(len(CLASSES))
    if init == "scratch":
        return model, "scratch"
    if init == "imagenet":
        try:
            state_dict = from_first(_imagenet)
        except OSError as error:
            say(f"ImageNet weights cannot be fetched ({error}); training starts from scratch.")
            return model, "scratch, ImageNet weights unreachable"
        words = "ImageNet (torchvision IMAGENET1K_V1)"
    else:
        path = Path(init)
        if not path.exists():
            raise CheckpointError(f"There is no {init} to start from; give --init imagenet, scratch or a path.")
        state_dict, words = read_state_dict(path / WEIGHTS_FILE if path.is_dir() else path), init
    classifier = model.classifier.state_dict(prefix="classifier.")
    if state_dict.get("classifier.weight", torch.empty(0)).shape != model.classifier.weight.shape:
        state_dict |= classifier  # another task's classifier: ours starts anew
    try:
        model.load_state_dict(state_dict)
    except RuntimeError as error:
        raise CheckpointError(f"{init} is no DenseNet121: {str(error).splitlines()[1].strip()}") from error
    return model, words


def _imagenet() -> dict:
    weights = DenseNet121_Weights.IMAGENET1K_V1
    cached = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
    if not cached.exists():  # torchvision's own download would wait for minutes where there is no network
        try:
            urllib.request.urlopen(urllib.request.Request(weights.url, method="HEAD"), timeout=CONNECT_TIMEOUT).close()
        except OSError as error:
            raise OSError(str(error)) from error  # one that can be sent to other processes
    from torchvision.models import densenet121

    try:
        return densenet121(weights=weights).state_dict()
    except RuntimeError as error:  # a download that was cut short has another hash
        raise OSError(str(error)) from error
