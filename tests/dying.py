"""A worker's work that ends the worker, imported by processes that tests begin."""

import os

from convener.inference import workers
from convener.inference.bulk import Work
from convener.text.formats.lines import Stretch

FATAL = "CONVENER_TESTS_FATAL_LINE"


def die(*work: object) -> None:
    """End this process at once."""
    os._exit(9)


def die_of_a_line(work: Work, stretch: Stretch) -> Stretch:
    """End this process at the stretch that begins with a fatal line, answer the others."""
    if stretch.line == int(os.environ[FATAL]):
        os._exit(9)
    return workers._answer(work, stretch)
