"""A model on disk.

A checkpoint is a folder with `model.safetensors` and `config.json`. The model published on the Hub is a lone `.pth`
state dict; it is read as data only, never as code.
"""

import hashlib
import io
import json
import logging
import math
import os
import pickle
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import Tensor
from torch.overrides import TorchFunctionMode

from detector import CLASSES
from detector.model import DenseNet121
from detector.transforms import MEAN, STD, VARIANTS

log = logging.getLogger(__name__)

BUNDLED = Path(__file__).parent / "weights"
WEIGHTS_FILE, CONFIG_FILE = "model.safetensors", "config.json"


class CheckpointError(RuntimeError):
    """A model that cannot be had or is not what it claims. Its text is one sentence for people."""


@dataclass(frozen=True)
class Config:
    """What has to travel with the weights. The defaults are what the published model, which has none, is taken for."""

    classes: tuple[str, ...] = CLASSES
    input_size: int = 224  # pixels, square
    mean: tuple[float, ...] = MEAN
    std: tuple[float, ...] = STD
    temperature: float | None = None  # divides the logits; None: never calibrated
    version: str = ""
    recipe: dict = field(default_factory=dict)
    data: dict = field(default_factory=dict)
    metrics: dict = field(default_factory=dict)  # split -> figures, see train.metrics
    sha256: str = ""  # of the weights file

    @property
    def measured(self) -> bool:
        """Whether its probabilities are calibrated and its errors known."""
        return self.temperature is not None and "test" in self.metrics

    @classmethod
    def read(cls, path: Path) -> "Config":
        try:
            found = json.loads(path.read_text("utf-8"))
            known = {f.name: found[f.name] for f in fields(cls) if f.name in found}
            if any(
                "fpr_at_band" in v.get("ai_vs_human", {}) for x in known.get("metrics", {}).values() for v in x.values()
            ):
                known["metrics"] = {}  # before November 2026 figures counted the likeliest class, not the side
                log.warning("The figures in %s count other answers than are given now, and are left out.", path)
            config = cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in known.items()})
            config._check()
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise CheckpointError(
                f"{path} is not a checkpoint's config ({error}); train or download it again."
            ) from error
        return config

    def _check(self) -> None:
        if self.classes != CLASSES:
            raise ValueError(f"its classes are {self.classes}, not {CLASSES}")
        if not (isinstance(self.input_size, int) and 32 <= self.input_size <= 1024):
            raise ValueError(f"its input_size is {self.input_size!r}, not 32 to 1024 pixels")
        if not (len(self.mean) == len(self.std) == 3 and min(self.std) > 0):
            raise ValueError("its mean and std are not three numbers each")
        if self.temperature is not None and not 0 < self.temperature < math.inf:
            raise ValueError(f"its temperature is {self.temperature!r}, not a positive number")
        for variants in self.metrics.values():
            for variant in VARIANTS:
                for figure in ("n", "accuracy", "balanced_accuracy", "confusion", "ai_vs_human", "ece"):
                    variants[variant][figure]  # what the page and the card quote; KeyError names what lacks
                variants[variant]["ai_vs_human"]["answers"]


@dataclass(frozen=True)
class Checkpoint:
    """A loaded model, in fp32 and evaluation mode, with its config, its name, and why it is the one that answers."""

    model: DenseNet121
    config: Config
    name: str
    note: str = ""
    second: "Checkpoint | None" = None  # another model, to be heard beside it


def save_checkpoint(folder: Path, model: torch.nn.Module, config: Config, dtype: torch.dtype = torch.float16) -> None:
    """Write weights (floats as `dtype`) and config, each in one step: no reader ever sees half a file."""
    folder.mkdir(parents=True, exist_ok=True)
    state_dict = {
        key: (value.to(dtype) if value.is_floating_point() else value).cpu().contiguous()
        for key, value in model.state_dict().items()
    }
    weights = save(state_dict)
    known = {"architecture": "densenet121", "sha256": hashlib.sha256(weights).hexdigest()}
    text = json.dumps(asdict(config) | known, indent=2) + "\n"
    write_whole(folder, {WEIGHTS_FILE: weights, CONFIG_FILE: text.encode()})


def write_whole(folder: Path, files: dict[str, bytes]) -> None:
    """Write files that belong together: what was there stays until all is on the disk, also when that is full."""
    partial = {folder / name: folder / f"{name}.partial" for name in files}
    try:
        for path, data in zip(partial.values(), files.values(), strict=True):
            with path.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        for path, written in partial.items():
            written.replace(path)
    except OSError as error:
        for path in partial.values():
            path.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(folder)) from error


def read_checkpoint(path: Path, name: str = "") -> Checkpoint:
    if path.is_dir():
        if not (path / WEIGHTS_FILE).is_file():
            raise CheckpointError(f"{path} holds no {WEIGHTS_FILE}; give the folder of a checkpoint.")
        config = Config.read(path / CONFIG_FILE)
        weights = path / WEIGHTS_FILE
    else:
        config, weights = Config(), path
    data = _read(weights)  # once: what is checked is what is loaded
    sha256 = hashlib.sha256(data).hexdigest()
    if config.sha256 not in ("", sha256):
        raise CheckpointError(f"{weights} is not the file its config was written for; download or train it again.")
    if path == BUNDLED:
        name = f"bundled {config.version}".strip()
    config = replace(config, sha256=sha256)
    return Checkpoint(_build(_state_dict(data, weights), weights), _with_kept_figures(config), name or str(path))


def cache_folder() -> Path:
    """Where this program remembers what it learned of models, beside what huggingface_hub keeps of them."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    return Path(home).expanduser() / "ai-image-detector"


def keep_figures(config: Config) -> Path:
    """Remember temperature and figures of the weights that `config.sha256` names; where. Raises OSError."""
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    known = {"temperature": config.temperature, "metrics": config.metrics}
    write_whole(folder, {f"{config.sha256}.json": (json.dumps(known, indent=1) + "\n").encode()})
    return folder / f"{config.sha256}.json"


def _with_kept_figures(config: Config) -> Config:
    """With what `keep_figures` remembers of these weights, if they came with no figures of their own."""
    path = cache_folder() / f"{config.sha256}.json"
    if config.measured or not path.is_file():
        return config
    try:
        found = json.loads(path.read_text("utf-8"))
        known = replace(config, temperature=found["temperature"], metrics=found["metrics"])
        known._check()
        if not known.measured:
            raise ValueError("no temperature, or no test")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        log.warning("The figures in %s cannot be read (%r) and are left out; measure the model again.", path, error)
        return config
    return known


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors or .pth file, read as data only. Raises CheckpointError."""
    return _state_dict(_read(path), path)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}); check the path.") from error


def _state_dict(data: bytes, path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load(data)  # load_file would keep the file mapped: on Windows it could not be replaced
        found = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path.name} is refused: it is damaged, or holds code beside weights, and loading it would run that code."
        ) from error
    except Exception as error:  # a hostile pickle or archive can raise anything; the cause is kept
        raise CheckpointError(f"{path.name} is damaged or not a model; download or train it again.") from error
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise CheckpointError(f"{path.name} is not a plain state dict of tensors; save model.state_dict().")
    return found


class _Undrawn(TorchFunctionMode):
    """No time is spent on random weights that are replaced at once. (On the device "meta", drawing them has torch's
    compiler imported, which takes two seconds.)"""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return args[0] if func is Tensor.normal_ else func(*args, **kwargs)


def _build(state_dict: dict[str, Tensor], path: Path) -> DenseNet121:
    with _Undrawn():
        model = DenseNet121(len(CLASSES))
    expected = model.state_dict()
    for key in [*expected, *state_dict]:
        if key not in state_dict:
            raise CheckpointError(f"{path.name} is no DenseNet121 of {len(CLASSES)} classes: it lacks {key}.")
        if key not in expected:
            raise CheckpointError(f"{path.name} is no DenseNet121 of {len(CLASSES)} classes: {key} is one too many.")
        ours, theirs = tuple(expected[key].shape), tuple(state_dict[key].shape)
        if ours != theirs:
            raise CheckpointError(
                f"{path.name} is no DenseNet121 of {len(CLASSES)} classes: {key} is {theirs} where {ours} belongs."
            )
        if expected[key].is_floating_point() != state_dict[key].is_floating_point():
            raise CheckpointError(f"{path.name} is damaged: {key} holds {state_dict[key].dtype}.")
        if not torch.isfinite(state_dict[key]).all():
            raise CheckpointError(f"{path.name} is damaged: {key} holds values that are not numbers.")
    floats = {key: value.float() if value.is_floating_point() else value for key, value in state_dict.items()}
    model.load_state_dict(floats, strict=True, assign=True)
    return model.requires_grad_(False).eval().to(memory_format=torch.channels_last)
