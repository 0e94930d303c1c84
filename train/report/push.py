"""Runs to the Hugging Face Hub."""

from pathlib import Path

from detector.checkpoint import CONFIG_FILE, WEIGHTS_FILE, CheckpointError
from detector.hub import load_checkpoint
from train.report.write import PLOTS


def push(run: Path, repo_id: str) -> str:
    """Upload a run's weights, config, card and plots; no image of its data. Returns the address. Raises
    CheckpointError."""
    import huggingface_hub as hub
    from huggingface_hub import errors

    if not run.is_dir():
        raise CheckpointError(f"There is no folder {run}; give a run that python -m train left.")
    load_checkpoint(str(run))  # whole, and ours: what is pushed can be loaded
    if not (run / "README.md").is_file():
        raise CheckpointError(f"{run} has no card (README.md), so its training did not end; finish it with --resume.")
    api = hub.HfApi()
    try:
        api.create_repo(repo_id, exist_ok=True)
        info = api.upload_folder(
            folder_path=run,
            repo_id=repo_id,
            allow_patterns=[WEIGHTS_FILE, CONFIG_FILE, "README.md", *PLOTS],
            commit_message=f"DenseNet121 trained by python -m train, {run.name}",
        )
    except errors.HFValidationError as error:
        raise CheckpointError(f"{repo_id!r} is no name for a repository; give OWNER/NAME.") from error
    except (errors.LocalTokenNotFoundError, errors.HfHubHTTPError) as error:
        raise CheckpointError(
            f"The Hub did not take {repo_id} ({str(error).splitlines()[0]}); log in with `hf auth login`, or set "
            "HF_TOKEN to a token that may write there."
        ) from error
    except Exception as error:  # a network fails in too many ways to list; the cause is kept
        raise CheckpointError(f"The Hub could not be reached for {repo_id} ({type(error).__name__}).") from error
    return info.repo_url.url if hasattr(info, "repo_url") else str(info)
