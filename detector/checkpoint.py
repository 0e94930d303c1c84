"""A model on disk, and where it comes from: a path, the Hub, or the one that is bundled.

A checkpoint is a folder with `model.safetensors` and `config.json`. The model published on the Hub is a lone `.pth`
state dict; it is read as data only, never as code.
"""

import hashlib
import json
import logging
import os
import pickle
from collections.abc import Callable
from concurrent.futures import TimeoutError
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from detector import CLASSES
from detector.background import in_background
from detector.model import DenseNet121
from detector.transforms import MEAN, STD, VARIANTS

log = logging.getLogger(__name__)

BUNDLED = Path(__file__).parent / "weights"
PUBLISHED = "VilaVision/AIgeneratedimagedetection"  # repository on the Hub
PUBLISHED_FILE = "densenet_finetuned_dense.pth"
WEIGHT_SUFFIXES = (".pth", ".safetensors")
WEIGHTS_FILE, CONFIG_FILE = "model.safetensors", "config.json"
CHOICES = "auto, hub, bundled, a checkpoint's path, or a repository of the Hub (owner/name)"
CONNECT_TIMEOUT = 3  # seconds until a silent server of weights counts as unreachable
AUTO_DEADLINE = 4  # seconds that `auto` gives the Hub in all, so that a model is there within five


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

    @classmethod
    def read(cls, path: Path) -> "Config":
        try:
            found = json.loads(path.read_text("utf-8"))
            known = {f.name: found[f.name] for f in fields(cls) if f.name in found}
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
        if self.temperature is not None and not self.temperature > 0:
            raise ValueError(f"its temperature is {self.temperature!r}, not a positive number")
        for variants in self.metrics.values():
            for variant in VARIANTS:
                for figure in ("n", "accuracy", "balanced_accuracy", "confusion", "ai_vs_human", "ece"):
                    variants[variant][figure]  # what the page and the card quote; KeyError names what lacks


@dataclass(frozen=True)
class Checkpoint:
    """A loaded model, in fp32 and evaluation mode, with its config, its name, and why it is the one that answers."""

    model: DenseNet121
    config: Config
    name: str
    note: str = ""


def load_checkpoint(model: str = "auto") -> Checkpoint:
    """What `model` names (see CHOICES). `auto` takes the Hub's model if it is cached or comes at once, else the
    bundled one, and `note` says why. Raises CheckpointError."""
    if model == "auto":
        try:
            return _from_hub(PUBLISHED, AUTO_DEADLINE)
        except CheckpointError as error:
            log.warning("%s The bundled model is used.", error)
            return replace(_from_path(BUNDLED), note=str(error))
    if model == "hub":
        return _from_hub(PUBLISHED)
    if model == "bundled":
        return _from_path(BUNDLED)
    if Path(model).exists():
        return _from_path(Path(model))
    if model.count("/") == 1 and not model.startswith((".", "/", "~")) and Path(model).suffix not in WEIGHT_SUFFIXES:
        return _from_hub(model)
    raise CheckpointError(f"There is no model {model!r}; give {CHOICES}.")


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


def _from_path(path: Path, name: str = "") -> Checkpoint:
    if path.is_dir():
        if not (path / WEIGHTS_FILE).is_file():
            raise CheckpointError(f"{path} holds no {WEIGHTS_FILE}; give the folder of a checkpoint, or {CHOICES}.")
        config = Config.read(path / CONFIG_FILE)
        weights = path / WEIGHTS_FILE
        if config.sha256 and _sha256(weights) != config.sha256:
            raise CheckpointError(f"{weights} is not the file its config was written for; download or train it again.")
    else:
        config, weights = Config(), path
    if path == BUNDLED:
        name = f"bundled {config.version}".strip()
    return Checkpoint(_build(read_state_dict(weights), weights), config, name or str(path))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors or .pth file, read as data only. Raises CheckpointError."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path.name} is refused: it is damaged, or holds code beside weights, and loading it would run that code."
        ) from error
    except Exception as error:  # a hostile pickle or archive can raise anything; the cause is kept
        raise CheckpointError(f"{path.name} is damaged or not a model; download or train it again.") from error
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise CheckpointError(f"{path.name} is not a plain state dict of tensors; save model.state_dict().")
    return found


def _build(state_dict: dict[str, Tensor], path: Path) -> DenseNet121:
    with torch.device("meta"):  # no time spent on random weights that are replaced at once
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


def _from_hub(repo_id: str, deadline: float | None = None) -> Checkpoint:
    """A repository of the Hub: the published lone state dict, or a checkpoint that somebody trained and pushed.

    `deadline`: seconds after which a download goes on without us, for the next start.
    """
    import huggingface_hub  # noqa: F401 - takes a second, which is not the Hub's fault

    files = [PUBLISHED_FILE] if repo_id == PUBLISHED else [CONFIG_FILE, WEIGHTS_FILE]
    paths = within(deadline, lambda: [download(repo_id, name) for name in files])
    revision = paths[-1].parent.name[:7]  # .../snapshots/<commit>/<file>
    return _from_path(paths[-1] if len(files) == 1 else paths[-1].parent, f"hub {repo_id}@{revision}")


def download(repo_id: str, filename: str) -> Path:
    """A file of a repository of the Hub, from the cache if it is there. Raises CheckpointError, at once if the Hub
    cannot be reached; a slow download takes its time."""
    import huggingface_hub as hub
    from huggingface_hub import errors

    try:
        try:
            return Path(hub.hf_hub_download(repo_id, filename, local_files_only=True))
        except errors.LocalEntryNotFoundError:
            pass  # not cached yet
        # Asked first, since hf_hub_download takes half a minute to find out that there is no network.
        hub.get_hf_file_metadata(hub.hf_hub_url(repo_id, filename), timeout=CONNECT_TIMEOUT)
        return Path(hub.hf_hub_download(repo_id, filename, etag_timeout=CONNECT_TIMEOUT))
    except errors.HFValidationError as error:
        raise CheckpointError(f"There is no model {repo_id!r}; give {CHOICES}.") from error
    except errors.RepositoryNotFoundError as error:
        raise CheckpointError(f"The Hub has no repository {repo_id}; check the name.") from error
    except Exception as error:  # a network fails in too many ways to list; the cause is kept
        if isinstance(error, errors.EntryNotFoundError) and not isinstance(error, errors.LocalEntryNotFoundError):
            raise CheckpointError(f"The Hub's repository {repo_id} has no file {filename}.") from error
        log.info("%s from the Hub: %r", filename, error)
        raise CheckpointError(f"The Hub could not be reached for {repo_id} ({type(error).__name__}).") from error


def within(seconds: float | None, action: Callable[[], list[Path]]) -> list[Path]:
    """What `action` returns or raises, or CheckpointError after `seconds`, while it goes on."""
    try:
        return in_background(action).result(seconds)
    except TimeoutError as error:
        raise CheckpointError(f"The Hub took longer than {seconds} seconds; start again later to use it.") from error
