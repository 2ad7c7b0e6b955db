"""What is sent to the Hugging Face hub; an error says what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mien.errors import MienError

LOG_IN = "log in by `hf auth login`, or set HF_TOKEN to a token that may write (huggingface.co/settings/tokens)"


def push_files(files: Mapping[str, Path | bytes], repo_id: str, *, private: bool) -> str:
    """One commit of `files`, by their names, to the model repository OWNER/NAME; the commit's address.

    The repository is made where there is none, private or not; one that is there stays as it was, and so do its other
    files. Raises MienError without a token, without a network, and where the hub refuses.
    """
    from huggingface_hub import CommitOperationAdd, HfApi, get_token
    from huggingface_hub.errors import HfHubHTTPError

    if "/" not in repo_id:
        raise MienError(f"{repo_id!r} is not OWNER/NAME; whose repository is it?")
    if get_token() is None:
        raise MienError(f"pushing to {repo_id} needs a token: {LOG_IN}")
    operations = [CommitOperationAdd(path_in_repo=name, path_or_fileobj=content) for name, content in files.items()]
    api = HfApi()
    try:
        api.create_repo(repo_id, private=private, exist_ok=True)
        commit = api.create_commit(repo_id, operations, commit_message="mien push")
    except HfHubHTTPError as error:
        remedy = f"; {LOG_IN}" if error.response.status_code in (401, 403) else ""
        raise MienError(_explained(error, repo_id) + remedy) from error
    except Exception as error:  # a network's errors, and names that the hub does not allow, have no common ancestor
        raise MienError(_explained(error, repo_id)) from error
    return str(commit.commit_url)


def _explained(error: Exception, repo_id: str) -> str:
    cause = str(error).strip().partition("\n")[0]  # advice and addresses follow
    return f"{repo_id} could not be pushed to the hub: {type(error).__name__}: {cause}"
