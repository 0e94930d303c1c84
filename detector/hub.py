"""Where a model comes from: the bundled one, a path, or the Hub.

On the Hub a repository moves on. One HEAD request tells the commit of the branch that is asked for, and all files are
then taken at that commit, so that files of two commits never mix; without an answer the last whole copy in the cache is
taken. The published model, heard beside the bundled one, is pinned: once seen, it stays that commit and that file.
"""

import json
import logging
import os
import re
from collections.abc import Callable
from concurrent.futures import TimeoutError
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from detector.arguments import MODELS
from detector.checkpoint import (
    BUNDLED,
    CONFIG_FILE,
    WEIGHTS_FILE,
    Checkpoint,
    CheckpointError,
    cache_folder,
    read_checkpoint,
    write_whole,
)
from detector.threads import in_background

log = logging.getLogger(__name__)

T = TypeVar("T")

PUBLISHED = "VilaVision/AIgeneratedimagedetection"  # repository on the Hub
PUBLISHED_FILE = "densenet_finetuned_dense.pth"
WEIGHT_SUFFIXES = (".pth", ".safetensors")
CONNECT_TIMEOUT = 3  # seconds until a silent server of weights counts as unreachable
AUTO_DEADLINE = 4  # seconds that `auto` gives the Hub in all, so that a model is there within five
SEEN_FILE = "seen.json"  # in `cache_folder()`: repository@revision -> commit last taken whole; and the pin


def load_checkpoint(model: str = "auto") -> Checkpoint:
    """What `model` names (see arguments.MODELS). `auto` is the bundled one, which was measured, with the published one
    beside it as a second opinion if it is cached or comes at once; `note` says why not. Raises CheckpointError."""
    if model == "auto":
        first = read_checkpoint(BUNDLED)
        try:
            return replace(first, second=_pinned())
        except CheckpointError as error:
            log.warning("There is no second opinion. %s", error)
            return replace(first, note=f"There is no second opinion: {error}")
    if model == "hub":
        return _from_hub(PUBLISHED)
    if model == "bundled":
        return read_checkpoint(BUNDLED)
    if os.path.exists(model):  # noqa: PTH110 - pathlib's raises for names too long
        return read_checkpoint(Path(model))
    if names_repository(model):
        return _from_hub(*model.split("@", 1))
    raise CheckpointError(f"There is no model {model!r}; give {MODELS}.")


def names_repository(name: str) -> bool:
    """Whether a name that is no path here may be one of the Hub's: not a mistyped folder, nor a weights file."""
    first, _, rest = name.partition("/")
    a_path = first in ("runs", "data") or os.path.isdir(first) or Path(rest).suffix in WEIGHT_SUFFIXES  # noqa: PTH112
    return not a_path and re.fullmatch(r"\w[\w.-]{0,95}/[\w.-]{1,96}(@[\w./-]{1,200})?", name) is not None


def _from_hub(repo_id: str, revision: str = "main") -> Checkpoint:
    """A repository of the Hub: the published lone state dict, or a checkpoint that somebody trained and pushed."""
    names = [PUBLISHED_FILE] if repo_id == PUBLISHED else [CONFIG_FILE, WEIGHTS_FILE]
    found = fetch(repo_id, names, revision)
    path = found.paths[0] if len(names) == 1 else found.paths[0].parent
    return replace(read_checkpoint(path, f"hub {repo_id}@{found.commit[:7]}"), note=found.note)


def _pinned() -> Checkpoint:
    """The published model, at the commit and with the very file that were seen first. Raises CheckpointError."""
    pin = _seen().get("pin")  # none is shipped with the project: the Hub could not be reached when this was written
    found = within(AUTO_DEADLINE, lambda: fetch(PUBLISHED, [PUBLISHED_FILE], pin["commit"] if pin else "main"))
    checkpoint = read_checkpoint(found.paths[0], f"hub {PUBLISHED}@{found.commit[:7]}")
    if pin and pin["sha256"] != checkpoint.config.sha256:
        raise CheckpointError(
            f"{PUBLISHED_FILE} in the cache is not the file that was seen first; delete it, or give --model hub."
        )
    if pin:
        in_background(_tell_of_a_newer_push, pin["commit"])
    else:
        _remember("pin", {"commit": found.commit, "sha256": checkpoint.config.sha256})
    return checkpoint


def _tell_of_a_newer_push(commit: str) -> None:
    newest = _commit(PUBLISHED, PUBLISHED_FILE, "main")
    if newest != commit:
        log.warning("%s was pushed anew; %s stays. To use it: --model %s@%s", PUBLISHED, commit[:7], PUBLISHED, newest)


@dataclass(frozen=True)
class Fetched:
    """Files of a repository, all of one commit."""

    commit: str
    paths: list[Path]
    note: str = ""  # why it is not the newest


def fetch(repo_id: str, names: list[str], revision: str = "main") -> Fetched:
    """Files of a repository of the Hub at one commit: the revision's newest, or else the last that is whole in the
    cache. Raises CheckpointError, at once if the Hub cannot be reached; a slow download takes its time."""
    key = f"{repo_id}@{revision}"
    if re.fullmatch("[0-9a-f]{40}", revision) and (paths := _cached(repo_id, names, revision)):
        return Fetched(revision, paths)  # a commit never changes: no request at all
    try:
        commit = _commit(repo_id, names[0], revision)
        paths = [_download(repo_id, name, commit) for name in names]
    except Missing:
        raise
    except CheckpointError as error:
        last = _seen().get(key, revision)
        paths = _cached(repo_id, names, last)
        if paths is None:
            raise
        log.warning("%s The copy in the cache is used.", error)
        return Fetched(paths[0].parent.name, paths, f"{error} The copy in the cache is used.")
    if _seen().get(key) != commit:
        _remember(key, commit)
    return Fetched(commit, paths)


class Missing(CheckpointError):
    """The Hub's own word that it has no such thing."""


def _cached(repo_id: str, names: list[str], revision: str) -> list[Path] | None:
    """The files, all of one commit, if all of them are in the cache."""
    import huggingface_hub as hub

    found = [hub.try_to_load_from_cache(repo_id, name, revision=revision) for name in names]
    return [Path(path) for path in found] if all(isinstance(path, str) for path in found) else None


def _commit(repo_id: str, name: str, revision: str) -> str:
    """The commit that a branch, tag or commit stands for: one HEAD request."""
    import huggingface_hub as hub

    # Asked first, since hf_hub_download takes half a minute to find out that there is no network.
    def ask() -> hub.HfFileMetadata:
        url = hub.hf_hub_url(repo_id, name, revision=revision)  # refuses names itself, in huggingface_hub 1.x
        return hub.get_hf_file_metadata(url, timeout=CONNECT_TIMEOUT)

    found = _asking(repo_id, name, revision, ask)
    if not found.commit_hash:
        raise CheckpointError(f"The Hub did not say which commit of {repo_id} it has.")
    return found.commit_hash


def _download(repo_id: str, name: str, commit: str) -> Path:
    import huggingface_hub as hub

    def download() -> str:
        return hub.hf_hub_download(repo_id, name, revision=commit, etag_timeout=CONNECT_TIMEOUT)

    return Path(_asking(repo_id, name, commit, download))


def _asking(repo_id: str, name: str, revision: str, request: Callable[[], T]) -> T:
    """What `request` returns, or one sentence for what the Hub or the network has to say."""
    from huggingface_hub import errors

    try:
        return request()
    except errors.HFValidationError as error:
        raise Missing(f"There is no model {repo_id!r}; give {MODELS}.") from error
    except errors.RepositoryNotFoundError as error:
        raise Missing(f"The Hub has no repository {repo_id}; check the name.") from error
    except errors.RevisionNotFoundError as error:
        raise Missing(f"The Hub's repository {repo_id} has no revision {revision}; check it.") from error
    except Exception as error:  # a network fails in too many ways to list; the cause is kept
        if isinstance(error, errors.EntryNotFoundError) and not isinstance(error, errors.LocalEntryNotFoundError):
            raise Missing(f"The Hub's repository {repo_id} has no file {name}.") from error
        log.info("%s from the Hub: %r", name, error)
        raise CheckpointError(f"The Hub could not be reached for {repo_id} ({type(error).__name__}).") from error


def _seen() -> dict:
    try:
        found = json.loads((cache_folder() / SEEN_FILE).read_text("utf-8"))
        pin = found.get("pin", {"commit": "", "sha256": ""})
        if not all(isinstance(value, str) for value in (pin["commit"], pin["sha256"])):
            raise TypeError("its pin is none")
        return {key: value for key, value in found.items() if isinstance(value, str) or key == "pin"}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        log.warning("%s cannot be read (%s); it is begun anew.", cache_folder() / SEEN_FILE, error)
        return {}


def _remember(key: str, value: str | dict) -> None:
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
        write_whole(cache_folder(), {SEEN_FILE: json.dumps(_seen() | {key: value}, indent=1).encode()})
    except OSError as error:  # a read-only home
        log.warning("What was seen of %s cannot be kept in %s (%s).", key, cache_folder(), error.strerror)


def within(seconds: float, action: Callable[[], T]) -> T:
    """What `action` returns or raises, or CheckpointError after `seconds`, while it goes on for the next start."""
    import huggingface_hub  # noqa: F401 - takes a second, which is not the Hub's fault

    try:
        return in_background(action).result(seconds)
    except TimeoutError as error:
        raise CheckpointError(f"The Hub took longer than {seconds} seconds; start again later to use it.") from error
