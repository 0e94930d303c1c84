"""Where a model comes from: the bundled one, a path, or the Hub."""

import logging
from collections.abc import Callable
from concurrent.futures import TimeoutError
from dataclasses import replace
from pathlib import Path

from detector.checkpoint import BUNDLED, CONFIG_FILE, WEIGHTS_FILE, Checkpoint, CheckpointError, read_checkpoint
from detector.threads import in_background

log = logging.getLogger(__name__)

PUBLISHED = "VilaVision/AIgeneratedimagedetection"  # repository on the Hub
PUBLISHED_FILE = "densenet_finetuned_dense.pth"
WEIGHT_SUFFIXES = (".pth", ".safetensors")
CHOICES = "auto, hub, bundled, a checkpoint's path, or a repository of the Hub (owner/name)"
CONNECT_TIMEOUT = 3  # seconds until a silent server of weights counts as unreachable
AUTO_DEADLINE = 4  # seconds that `auto` gives the Hub in all, so that a model is there within five


def load_checkpoint(model: str = "auto") -> Checkpoint:
    """What `model` names (see CHOICES). `auto` takes the Hub's model if it is cached or comes at once, else the
    bundled one, and `note` says why. Raises CheckpointError."""
    if model == "auto":
        try:
            return _from_hub(PUBLISHED, AUTO_DEADLINE)
        except CheckpointError as error:
            log.warning("%s The bundled model is used.", error)
            return replace(read_checkpoint(BUNDLED), note=str(error))
    if model == "hub":
        return _from_hub(PUBLISHED)
    if model == "bundled":
        return read_checkpoint(BUNDLED)
    if Path(model).exists():
        return read_checkpoint(Path(model))
    if model.count("/") == 1 and not model.startswith((".", "/", "~")) and Path(model).suffix not in WEIGHT_SUFFIXES:
        return _from_hub(model)
    raise CheckpointError(f"There is no model {model!r}; give {CHOICES}.")


def _from_hub(repo_id: str, deadline: float | None = None) -> Checkpoint:
    """A repository of the Hub: the published lone state dict, or a checkpoint that somebody trained and pushed.

    `deadline`: seconds after which a download goes on without us, for the next start.
    """
    import huggingface_hub  # noqa: F401 - takes a second, which is not the Hub's fault

    files = [PUBLISHED_FILE] if repo_id == PUBLISHED else [CONFIG_FILE, WEIGHTS_FILE]
    paths = within(deadline, lambda: [download(repo_id, name) for name in files])
    revision = paths[-1].parent.name[:7]  # .../snapshots/<commit>/<file>
    return read_checkpoint(paths[-1] if len(files) == 1 else paths[-1].parent, f"hub {repo_id}@{revision}")


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
