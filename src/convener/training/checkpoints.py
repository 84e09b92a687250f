"""Checkpoints: named tensors and a JSON note in a folder that is whole or absent. Never pickle."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from convener.errors import DataError
from convener.files import new_folder

if TYPE_CHECKING:
    from torch import Tensor

_NOTE = "state.json"
_TENSORS = "state.safetensors"


def save(folder: Path, note: Mapping[str, object], tensors: Mapping[str, "Tensor"]) -> None:
    """Replace the checkpoint in `folder` by this one."""
    from safetensors.torch import save_file

    with new_folder(folder) as fresh:
        save_file(apart(tensors), fresh / _TENSORS)
        (fresh / _NOTE).write_text(json.dumps(note, indent=1), encoding="utf-8")


def refuse_to_replace(folder: Path) -> None:
    """Raise DataError if something stands where a new run would keep its checkpoints."""
    if (folder / _NOTE).is_file():
        raise DataError(
            f"{folder} holds a run that was stopped: take it up with --resume, or remove it"
        )
    if folder.exists():
        raise DataError(f"{folder} is in the way of checkpoints: move it or choose another name")


def apart(tensors: Mapping[str, "Tensor"]) -> dict[str, "Tensor"]:
    """The tensors on the CPU, each with memory of its own, as safetensors wants them."""
    separate: dict[str, Tensor] = {}
    owners: set[int] = set()
    for name, values in tensors.items():
        kept = values.detach().cpu().contiguous()
        if kept.data_ptr() in owners:
            kept = kept.clone()
        owners.add(kept.data_ptr())
        separate[name] = kept
    return separate


def load(folder: Path) -> tuple[dict[str, object], dict[str, "Tensor"]]:
    """The note and the tensors of a checkpoint.

    Raises:
        DataError: there is none, or it is damaged.
    """
    from safetensors.torch import load_file

    try:
        note = json.loads((folder / _NOTE).read_text(encoding="utf-8"))
        return note, load_file(folder / _TENSORS)
    except FileNotFoundError:
        raise DataError(f"no checkpoint in {folder}: start without --resume") from None
    except (ValueError, SafetensorError) as error:
        raise DataError(f"the checkpoint in {folder} is damaged ({error}): remove it") from None
