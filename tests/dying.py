"""A worker's work that ends the worker, imported by processes that tests begin."""

import os


def die(*work: object) -> None:
    """End this process at once."""
    os._exit(9)
