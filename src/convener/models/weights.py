"""Weights told apart by their fingerprint, whatever file or device they are on."""

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor


def fingerprint_of(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 of weights and their names, in the order of the names."""
    digest = hashlib.sha256()
    for name, values in sorted(weights.items()):
        digest.update(name.encode())
        content = values.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        digest.update(content.numpy().data)
    return digest.hexdigest()
