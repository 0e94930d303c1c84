"""Datasets from the Hugging Face Hub."""

import sys
from pathlib import Path

from detector.checkpoint import CheckpointError
from detector.hub import CONNECT_TIMEOUT
from detector.images import SUFFIXES


def fetch_dataset(repo_id: str) -> Path:
    """The folder of a dataset of image folders, downloaded or cached. Raises CheckpointError, at once if the Hub
    cannot be reached."""
    import huggingface_hub as hub
    from huggingface_hub import errors

    patterns = ["index.csv", *(f"*{suffix}" for suffix in SUFFIXES), *(f"*{suffix.upper()}" for suffix in SUFFIXES)]
    try:
        hub.HfApi().dataset_info(repo_id, timeout=CONNECT_TIMEOUT)  # snapshot_download alone waits for minutes
        return Path(hub.snapshot_download(repo_id, repo_type="dataset", allow_patterns=patterns))
    except errors.HFValidationError as error:
        raise CheckpointError(f"{repo_id!r} is no name of one.") from error
    except errors.RepositoryNotFoundError as error:
        raise CheckpointError(f"the Hub has no dataset {repo_id}; check the name.") from error
    except Exception as error:  # noqa: BLE001 - a network fails in too many ways to list; the cause is kept
        try:
            found = hub.snapshot_download(repo_id, repo_type="dataset", allow_patterns=patterns, local_files_only=True)
            print(f"The Hub could not be reached for {repo_id}; the copy in the cache is used.", file=sys.stderr)
            return Path(found)
        except errors.LocalEntryNotFoundError:
            raise CheckpointError(f"the Hub could not be reached for {repo_id} ({type(error).__name__}).") from error
