"""Models on the Hugging Face hub: fetched by name, put there with their card.

Only weights in safetensors and what a tokenizer needs are fetched, beside text. What is a folder on
this disk never touches the network.
"""

import re
from pathlib import Path

from convener.errors import ModelError

FILES = ["*.safetensors", "*.json", "*.md", "*.txt", "*.jinja", "*.model"]

_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*")


def local(model: str | Path) -> Path:
    """The folder of a model: itself, or a copy of what the hub has by that name.

    A name whose first part is a folder here is none of the hub.

    Raises:
        ModelError: there is neither.
    """
    path = Path(model)
    if path.exists() or path.parent.is_dir() or not _NAME.fullmatch(str(model)):
        return path
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(str(model), allow_patterns=FILES))
    except Exception as error:
        raise ModelError(
            f"no model folder at {model}, and none fetched from the hub ({_reason(error)}): "
            "give a folder that training wrote, or the name of a model on the hub"
        ) from None


def push(folder: Path, name: str, private: bool | None, token: str | None) -> str:
    """Upload a model folder to the hub, where it is made if need be; its address.

    Raises:
        ModelError: the hub cannot be reached or does not allow it.
    """
    from huggingface_hub import HfApi

    try:
        hub = HfApi(token=token)
        address = hub.create_repo(name, private=private, exist_ok=True)
        hub.upload_folder(
            repo_id=address.repo_id,
            folder_path=folder,
            allow_patterns=FILES,
            delete_patterns=["*.safetensors"],
            commit_message="A model made by convener",
        )
    except Exception as error:
        raise ModelError(
            f"cannot put the model on the hub as {name} ({_reason(error)}): "
            "log in with 'hf auth login' or give a token that may write there"
        ) from None
    return str(address)


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
