"""Where models work when nobody says."""

import torch


def available() -> torch.device:
    """The machine's accelerator or, without one, its CPU."""
    found = torch.accelerator.current_accelerator(check_available=True)
    return found or torch.device("cpu")
